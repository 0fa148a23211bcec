"""What PostgreSQL's catalog says about relations, keys and indexes. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

from meshkeys.queries import first_row, one_row, scalar

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor


@dataclass(frozen=True, order=True)
class Relation:
    """A table, view or materialized view, by schema and name."""

    schema: str
    name: str

    @classmethod
    def of(cls, table: Any) -> Relation:
        """From SQLMesh's name for it: text, or an expression."""
        from sqlglot import exp

        parsed = exp.to_table(table, dialect="postgres") if isinstance(table, str) else table.find(exp.Table) or table
        return cls(parsed.db, parsed.name)

    @classmethod
    def parse(cls, name: str) -> Relation:
        """From what `str` makes of it."""
        schema, _, relation = name.partition(".")
        return cls(schema, relation)

    @property
    def identifier(self) -> sql.Identifier:
        """Quoted, to compose statements of."""
        return sql.Identifier(self.schema, self.name)

    def sibling(self, name: str) -> Relation:
        """Another relation of the same schema."""
        return Relation(self.schema, name)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class PrimaryKey:
    """A primary key as it is: its name, its columns, and whether PostgreSQL enforces it."""

    name: str
    columns: tuple[str, ...]
    is_enforced: bool = True


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key as it is.

    Attributes:
        name: of the constraint.
        parent: the table that it points at.
        columns: of the table.
        parent_columns: of the parent.
        is_validated: whether all rows were checked.
        is_enforced: whether its triggers are there and enabled, so that PostgreSQL checks changes.
    """

    name: str
    parent: Relation
    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]
    is_validated: bool
    is_enforced: bool = True


@dataclass(frozen=True)
class Index:
    """An index as it is.

    Attributes:
        name: in the schema of its table.
        columns: that it is sorted by.
        include: columns that it holds without sorting by them.
        is_unique: whether it refuses equal rows.
        method: such as btree.
        where: the condition of a partial one, as PostgreSQL writes it.
        is_valid: whether queries may use it.
        has_expressions: whether it is on expressions too.
        backs_constraint: whether a key or constraint uses it.
    """

    name: str
    columns: tuple[str, ...]
    include: tuple[str, ...] = ()
    is_unique: bool = False
    method: str = "btree"
    where: str | None = None
    is_valid: bool = True
    has_expressions: bool = False
    backs_constraint: bool = False


@dataclass(frozen=True)
class Keys:
    """All keys and indexes of a table."""

    primary_key: PrimaryKey | None = None
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()


def exists(cursor: Cursor, relation: Relation) -> bool:
    """Whether there is such a relation, of any kind."""
    return _kind(cursor, relation) is not None


def is_table(cursor: Cursor, relation: Relation) -> bool:
    """Whether there is such a table."""
    return _kind(cursor, relation) in ("r", "p")


def is_view(cursor: Cursor, relation: Relation) -> bool:
    """Whether there is such a view, not materialized."""
    return _kind(cursor, relation) == "v"


def has_rows(cursor: Cursor, relation: Relation) -> bool:
    """Whether there is such a relation, and a row in it."""
    if not exists(cursor, relation):
        return False
    return bool(scalar(cursor, sql.SQL("SELECT EXISTS (SELECT FROM {})").format(relation.identifier)))


def columns(cursor: Cursor, relation: Relation) -> list[str]:
    """The relation's columns in order."""
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (quoted(relation),),
    )
    return [row[0] for row in cursor.fetchall()]


def types(cursor: Cursor, relation: Relation) -> dict[str, str]:
    """The relation's columns in order, each with its type as SQL."""
    cursor.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (quoted(relation),),
    )
    return dict(cursor.fetchall())


def keys(cursor: Cursor, relation: Relation) -> Keys:
    """All keys and indexes of a table or materialized view; nothing where there is no such relation."""
    return Keys(primary_key(cursor, relation), tuple(indexes(cursor, relation)), tuple(foreign_keys(cursor, relation)))


def primary_key(cursor: Cursor, relation: Relation) -> PrimaryKey | None:
    """The table's primary key; None where it has none."""
    row = first_row(
        cursor,
        """
        SELECT c.conname, array(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k (attnum, place)
                                JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.attnum ORDER BY k.place),
               c.convalidated AND x.indisunique AND x.indisvalid AND x.indisready AND x.indislive
        FROM pg_constraint AS c JOIN pg_index AS x ON x.indexrelid = c.conindid
        WHERE c.conrelid = to_regclass(%s) AND c.contype = 'p'
        """,
        (quoted(relation),),
    )
    return PrimaryKey(row[0], tuple(row[1]), row[2]) if row else None


def foreign_keys(cursor: Cursor, relation: Relation) -> list[ForeignKey]:
    """The table's foreign keys.

    PostgreSQL enforces one by two triggers on each of its tables. Disabled ones enforce nothing, and neither do those that fire
    in a replica only. A key that is NOT ENFORCED (PostgreSQL 18) has none.
    """
    cursor.execute(
        """
        SELECT c.conname, n.nspname, p.relname, c.convalidated,
               array(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k (attnum, place)
                     JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.attnum ORDER BY k.place),
               array(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k (attnum, place)
                     JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.attnum ORDER BY k.place),
               (SELECT count(*) >= 4 FROM pg_trigger AS t WHERE t.tgconstraint = c.oid AND t.tgenabled IN ('O', 'A'))
        FROM pg_constraint AS c
        JOIN pg_class AS p ON p.oid = c.confrelid
        JOIN pg_namespace AS n ON n.oid = p.relnamespace
        WHERE c.conrelid = to_regclass(%s) AND c.contype = 'f' ORDER BY c.conname
        """,
        (quoted(relation),),
    )
    return [ForeignKey(r[0], Relation(r[1], r[2]), tuple(r[4]), tuple(r[5]), r[3], r[6]) for r in cursor.fetchall()]


def indexes(cursor: Cursor, relation: Relation) -> list[Index]:
    """The indexes of a table or materialized view."""
    cursor.execute(
        """
        SELECT i.relname,
               array(SELECT a.attname::text FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                     JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
                     WHERE k.place <= x.indnkeyatts ORDER BY k.place),
               array(SELECT a.attname::text FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                     JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
                     WHERE k.place > x.indnkeyatts ORDER BY k.place),
               x.indisunique, m.amname, pg_get_expr(x.indpred, x.indrelid),
               x.indisvalid AND x.indisready AND x.indislive, x.indexprs IS NOT NULL,
               EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.oid)
        FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid JOIN pg_am AS m ON m.oid = i.relam
        WHERE x.indrelid = to_regclass(%s) ORDER BY i.relname
        """,
        (quoted(relation),),
    )
    return [Index(row[0], tuple(row[1]), tuple(row[2]), *row[3:]) for row in cursor.fetchall()]


def view_definition(cursor: Cursor, relation: Relation) -> str | None:
    """The query of a view or materialized view as PostgreSQL reads it, None where there is no such view.

    The text depends on nothing but the query and the relations it binds to: names are written out in full.
    """
    with names_in_full(cursor):
        definition: str | None = scalar(cursor, "SELECT pg_get_viewdef(to_regclass(%s))", (quoted(relation),))
    return definition


@contextmanager
def names_in_full(cursor: Cursor) -> Iterator[None]:
    """Inside, PostgreSQL writes the names of relations in definitions with their schemas."""
    path = one_row(cursor, "SELECT current_setting('search_path')")
    cursor.execute("SELECT set_config('search_path', 'pg_catalog', false)")
    yield
    cursor.execute("SELECT set_config('search_path', %s, false)", path)


def relations_read_by(cursor: Cursor, view: Relation) -> list[Relation]:
    """The relations that a view or materialized view selects from, one level down."""
    cursor.execute(
        """
        SELECT DISTINCT n.nspname, c.relname
        FROM pg_rewrite AS r
        JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
        JOIN pg_class AS c ON c.oid = d.refobjid AND c.oid <> r.ev_class
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE r.ev_class = to_regclass(%s) ORDER BY 1, 2
        """,
        (quoted(view),),
    )
    return [Relation(*row) for row in cursor.fetchall()]


def readers_of(cursor: Cursor, relation: Relation) -> list[Relation]:
    """The views and materialized views that select from a relation, one level up."""
    cursor.execute(
        """
        SELECT DISTINCT n.nspname, v.relname
        FROM pg_depend AS d
        JOIN pg_rewrite AS r ON r.oid = d.objid
        JOIN pg_class AS v ON v.oid = r.ev_class AND v.oid <> d.refobjid
        JOIN pg_namespace AS n ON n.oid = v.relnamespace
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass(%s)
        ORDER BY 1, 2
        """,
        (quoted(relation),),
    )
    return [Relation(*row) for row in cursor.fetchall()]


def _kind(cursor: Cursor, relation: Relation) -> str | None:
    query = "SELECT relkind::text FROM pg_class WHERE oid = to_regclass(%s)"
    kind: str | None = scalar(cursor, query, (quoted(relation),))
    return kind


def quoted(relation: Relation) -> str:
    """The name as text that to_regclass reads."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in (relation.schema, relation.name))
