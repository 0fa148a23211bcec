"""What SQLMesh would execute to evaluate prod's tables, noted as text at the end of a plan, for builds without SQLMesh.

Each text was rendered on the views of prod, for days that are written in no model. `for_days` puts others in their place. What
that makes for a second range of days is compared with what SQLMesh renders for it: a model whose text depends on its days in any
other way is not noted, and is evaluated by SQLMesh.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from functools import partial
from typing import Any

from revops.ledger import definitions
from revops.ledger.days import Unit, end_of, start_of, unit_of
from revops.ledger.definitions import Definition

# What models declare beside their queries: all that is done about it is done without SQLMesh too, when the tables are there.
_DECLARATIONS = {
    "primary_key", "foreign_key", "index", "fill_in_ranges", "look_back", "look_ahead", "felt_for_days",
    "restated_by", "prepare_evaluation", "apply_declarations",
}  # fmt: skip
_A_DAY = re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b")
_NO_DATE = "1970-01-01"
_ASKS_FOR_THE_TIME = re.compile(
    r"\b(current_(date|time|timestamp)|local(time|timestamp)|(now|(clock|statement|transaction)_timestamp) *\()",
    re.IGNORECASE,
)
_FARTHEST = timedelta(days=400)


@dataclass(frozen=True)
class Span:
    """The days that a text is for, both included, and the day on which it is executed."""

    first: date
    last: date
    today: date


# Neither is the first or last of its month, so that these are told from it; nor so many days from them as any window is long.
_NOTED = Span(date(2901, 12, 30), date(2950, 2, 11), date(2990, 7, 19))
_OF_DEFINITIONS = Span(definitions.FIRST, definitions.LAST, definitions.LAST + timedelta(days=1))
_OTHER = Span(date(2920, 5, 14), date(2931, 11, 6), date(2981, 1, 3))


@dataclass(frozen=True)
class Audit:
    """A query that finds the rows at fault; `is_blocking` where these stop a build."""

    name: str
    query: str
    is_blocking: bool


@dataclass(frozen=True)
class Rendered:
    """How the rows of a model's table are computed and audited.

    Attributes:
        query: all columns of its rows, in the order of the table's.
        audits: of the rows.
        day_column: the column with the day; None for a table that is made whole.
        unit: what is evaluated whole.
    """

    query: str
    audits: tuple[Audit, ...]
    day_column: str | None
    unit: Unit

    def query_for(self, days: Span) -> str:
        """The query for some days; for a table that is made whole, whatever they are."""
        return for_days(self.query, self.unit, days)

    def audit_for(self, audit: Audit, days: Span) -> str:
        """The query of an audit for some days."""
        return for_days(audit.query, self.unit, days)


def of(snapshot: Any, definition: Definition | None = None) -> Rendered | None:
    """How a model's table is evaluated; None where only SQLMesh knows, or there is no table.

    Args:
        snapshot: the version of the model.
        definition: its query, rendered for other days already.
    """
    from sqlmesh.core.audit.builtin import BUILT_IN_AUDITS

    model = snapshot.model
    by_days = bool(model.kind.is_incremental_by_time_range)
    if not model.is_sql or not (by_days or model.kind.is_full) or not _declares_only(model):
        return None
    unit = unit_of(model) if by_days else "day"
    span, other = _of(unit, _NOTED), _of(unit, _OTHER)

    def proven(render: Callable[[Span], str], known: str | None = None) -> str | None:
        text = render(span)
        is_alike = known is not None and for_days(text, unit, _OF_DEFINITIONS) == known
        return text if is_alike or for_days(text, unit, other) == render(other) else None

    query = proven(partial(_query, model), definition.query if definition else None) if by_days else _whole(model)
    audits: list[tuple[str, str | None, bool]] = []
    for audit, arguments in model.audits_with_args:
        if not audit.skip:
            blocking = arguments.pop("blocking", None)
            is_blocking = audit.blocking if blocking is None else blocking.sql().upper() == "TRUE"
            render = partial(_audit, model, audit, arguments)
            is_plain = audit.name in BUILT_IN_AUDITS  # those have no dates but the model's
            audits.append((audit.name, render(span) if is_plain else proven(render), is_blocking))
    known = tuple(Audit(name, text, is_blocking) for name, text, is_blocking in audits if text is not None)
    if query is None or len(known) < len(audits):
        return None
    day_column = model.time_column.column.name if by_days else None
    return Rendered(query, known, day_column, unit)


def asks_for_the_time(snapshot: Any, text: Rendered | None) -> bool:
    """Whether rows of a model's table may be others tomorrow although nothing has landed, so that SQLMesh evaluates it each day.

    What landed and is not over yet, the ledger knows. Where only SQLMesh knows how a model is evaluated, it may be.
    """
    kind = snapshot.model.kind
    if kind.is_view or kind.is_seed or kind.is_symbolic:
        return False  # computed when it is read, or never
    return text is None or (text.day_column is None and _ASKS_FOR_THE_TIME.search(text.query) is not None)


def for_days(text: str, unit: Unit, days: Span) -> str:
    """A noted text for other days: dates near the first or last one, or the ends of their months, keep their distance from it."""
    whole: Unit = "year" if unit == "year" else "month"
    noted = _of(unit, _NOTED)
    start, end = start_of(whole, noted.first), end_of(whole, noted.last)

    def replaced(found: re.Match[str]) -> str:
        try:
            day = date.fromisoformat(found.group())
        except ValueError:
            return found.group()
        if day == noted.today:
            return str(days.today)
        if day == start:
            return str(start_of(whole, days.first))
        if timedelta(0) <= noted.first - day <= _FARTHEST:
            return str(days.first - (noted.first - day))
        if noted.last <= day < end:
            return str(days.last + (day - noted.last))
        if timedelta(0) <= day - end <= _FARTHEST:
            return str(end_of(whole, days.last) + (day - end))
        return found.group()

    return _A_DAY.sub(replaced, text)


def from_json(noted: dict[str, Any]) -> Rendered | None:
    """What `dataclasses.asdict` and JSON made of it; None of what another version of revops noted in another form."""
    if noted.keys() != {field.name for field in fields(Rendered)}:
        return None
    return Rendered(**{**noted, "audits": tuple(Audit(**audit) for audit in noted["audits"])})


def _whole(model: Any) -> str | None:
    """The query of a model that is made whole, as SQLMesh has rendered it without dates; None where it has dates to fill in."""
    text = _sql(model.render_query_or_raise())
    return None if _NO_DATE in text else text


def _query(model: Any, days: Span) -> str:
    # Unoptimized, in a fraction of the time: what SQLMesh adds are names that PostgreSQL finds by itself.
    query = model.render_query_or_raise(**_dates(days), needs_optimization=False)
    return _sql(query)


def _audit(model: Any, audit: Any, arguments: dict[str, Any], days: Span) -> str:
    from sqlmesh.core.macros import RuntimeStage

    return _sql(model.render_audit_query(audit, **_dates(days), runtime_stage=RuntimeStage.AUDITING, **arguments))


def _dates(days: Span) -> dict[str, str]:
    return {"start": str(days.first), "end": str(days.last), "execution_time": str(days.today)}


def _sql(query: Any) -> str:
    return str(definitions.on_views(query).sql(dialect="postgres", comments=False, copy=False))


def _declares_only(model: Any) -> bool:
    """Whether the statements beside a model's query are declarations alone."""
    from meshkeys import declarations

    statements = (*model.pre_statements, *model.post_statements)
    names = [name for name, *_ in declarations.calls(model)]
    return len(names) == len(statements) and _DECLARATIONS.issuperset(names)


def _of(unit: Unit, days: Span) -> Span:
    """Days from the first of a unit, as SQLMesh evaluates them."""
    return replace(days, first=start_of(unit, days.first))
