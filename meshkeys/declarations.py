"""Reads what a model declares by the macros of `meshkeys.macros`. Touches no database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshkeys.errors import DeclarationError

if TYPE_CHECKING:
    from sqlmesh.core.model import Model

PERIODS = ("year", "quarter", "month")


@dataclass(frozen=True)
class ForeignKey:
    """`@foreign_key(column, parent, parent_column)`; the parent is the model's name."""

    column: str
    parent: str
    parent_column: str


@dataclass(frozen=True)
class Index:
    """`@index(columns, unique, method, include, where)`."""

    columns: tuple[str, ...]
    is_unique: bool = False
    method: str = "btree"
    include: tuple[str, ...] = ()
    where: str | None = None


@dataclass(frozen=True)
class MaterializedView:
    """`@materialized_view(unique_key, period, every, sorted_by)`."""

    unique_key: str
    period: str | None = None
    every: str = "year"
    sorted_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grant:
    """One privilege for one role, of the key `grants` of the MODEL block."""

    privilege: str
    role: str


@dataclass(frozen=True)
class Declarations:
    """All that one model declares."""

    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    indexes: tuple[Index, ...] = ()
    materialized_view: MaterializedView | None = None
    grants: tuple[Grant, ...] = ()
    filled_like: str | None = None
    """`@fill_in_ranges(parent)`: the parent whose rows say where to cut."""


def of(model: Model) -> Declarations:
    """What the model declares.

    Raises:
        DeclarationError: a declaration is not written as its macro's docstring says; names the model.
    """
    primary_key: tuple[str, ...] = ()
    foreign_keys: list[ForeignKey] = []
    indexes: list[Index] = []
    materialized_view = filled_like = None
    for name, arguments, options in calls(model):
        try:
            if name == "primary_key":
                primary_key = tuple(name_of(a) for a in arguments)
            elif name == "foreign_key":
                column, parent, parent_column = arguments
                foreign_keys.append(ForeignKey(name_of(column), table_of(parent), name_of(parent_column)))
            elif name == "index":
                indexes.append(_index(arguments, options))
            elif name == "materialized_view":
                materialized_view = _materialized_view(options)
            elif name == "fill_in_ranges":
                (parent,) = arguments
                filled_like = table_of(parent)
        except (KeyError, ValueError) as error:
            raise DeclarationError(
                f"Model {model.name}: @{name} is not declared as it should be ({error}).\n"
                "  See the docstrings in meshkeys/macros.py for how each is written."
            ) from error
    grants = [Grant(privilege, role) for privilege, roles in (model.grants or {}).items() for role in roles]
    return Declarations(primary_key, tuple(foreign_keys), tuple(indexes), materialized_view, tuple(grants), filled_like)


def calls(model: Model) -> list[tuple[str, list[Any], dict[str, Any]]]:
    """The macros called beside the query: name, arguments and options of each. SQLMesh takes all those of a seed for
    statements before its query.
    """
    from sqlglot import exp
    from sqlmesh.core.dialect import MacroFunc

    found = []
    for statement in (*model.pre_statements, *model.post_statements):
        if isinstance(statement, MacroFunc):
            call = statement.this
            options = {e.this.name: e.expression for e in call.expressions if isinstance(e, exp.PropertyEQ)}
            found.append(
                (call.name.lower(), [e for e in call.expressions if not isinstance(e, exp.PropertyEQ)], options)
            )
    return found


def _index(arguments: list[Any], options: dict[str, Any]) -> Index:
    return Index(
        columns=tuple(name_of(a) for a in arguments),
        is_unique=options["unique"].sql().upper() == "TRUE" if "unique" in options else False,
        method=name_of(options["method"]) if "method" in options else "btree",
        include=_names(options.get("include")),
        where=options["where"].sql(dialect="postgres") if "where" in options else None,
    )


def _materialized_view(options: dict[str, Any]) -> MaterializedView:
    every = name_of(options["every"]) if "every" in options else "year"
    if every not in PERIODS:
        raise ValueError(f"every is one of {', '.join(PERIODS)}")
    return MaterializedView(
        unique_key=name_of(options["unique_key"]),
        period=name_of(options["period"]) if "period" in options else None,
        every=every,
        sorted_by=_names(options.get("sorted_by")),
    )


def _names(expression: Any) -> tuple[str, ...]:
    return tuple(map(name_of, listed(expression)))


def listed(expression: Any) -> list[Any]:
    """The expressions of `(a, b)`, of `(a)`, of `a` or of nothing."""
    from sqlglot import exp

    if expression is None:
        return []
    inner = expression.unnest() if isinstance(expression, exp.Paren) else expression
    return list(inner.expressions) if isinstance(inner, exp.Tuple) else [inner]


def name_of(expression: Any) -> str:
    """A name as PostgreSQL reads it: in lower case where it is not quoted."""
    from sqlglot import exp

    if not expression.name or not isinstance(expression, exp.Column | exp.Identifier | exp.Literal | exp.Var):
        raise ValueError(f"a name is expected, not {expression.sql()}")
    identifier = expression if isinstance(expression, exp.Identifier) else expression.args.get("this")
    is_quoted = isinstance(identifier, exp.Identifier) and identifier.quoted
    return str(expression.name) if is_quoted or expression.is_string else str(expression.name).lower()


def table_of(expression: Any) -> str:
    """The name of a table with its schema, without a catalog."""
    return (
        ".".join(name_of(part) for part in expression.parts[-2:]) if hasattr(expression, "parts") else expression.sql()
    )


def from_json(declared: dict[str, Any]) -> Declarations:
    """What `dataclasses.asdict` and JSON made of declarations."""
    view = declared["materialized_view"]
    return Declarations(
        primary_key=tuple(declared["primary_key"]),
        foreign_keys=tuple(ForeignKey(**key) for key in declared["foreign_keys"]),
        indexes=tuple(
            Index(**{**index, "columns": tuple(index["columns"]), "include": tuple(index["include"])})
            for index in declared["indexes"]
        ),
        materialized_view=MaterializedView(**{**view, "sorted_by": tuple(view.get("sorted_by", ()))}) if view else None,
        grants=tuple(
            Grant(**grant) for grant in declared.get("grants", ())
        ),  # not there in what was noted before there were any
        filled_like=declared.get("filled_like"),
    )
