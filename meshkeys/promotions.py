"""Promotes a view in place. SQLMesh would drop it, with all views above it, and create another while readers wait.

The view is replaced by one statement, the last of the promotion's transaction: readers wait for that one, and views of others,
grants and comments stay. Where the new columns do not allow it, the view and those that hang on it are dropped and made again.
A model of kind VIEW that keeps its version over new tables is bound to them in place too, not dropped under its readers.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg2.errors
from psycopg2 import sql

from meshkeys import catalog, dependents, locks, materialized_views, roles, sessions, sqlmesh_inside
from meshkeys.catalog import Relation
from meshkeys.names import bounded_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from psycopg2.extensions import cursor as Cursor

    from meshkeys.declarations import Declarations

_SHAPE = """
SELECT attname, atttypid, atttypmod, attcollation FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_COMMENTS = """
SELECT coalesce(a.attname, ''), d.description
FROM pg_description AS d LEFT JOIN pg_attribute AS a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0
WHERE d.classoid = 'pg_class'::regclass AND d.objoid = to_regclass(%s)
"""
# Views that SQLMesh binds side by side read the same tables: PostgreSQL fails the second of two grants at once on one of them.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('meshkeys.promotions', 0))"


@dataclass
class _Promotion:
    """A promotion that is under way in a thread.

    Attributes:
        view: the environment's view.
        target: what it is to show, where it may be replaced.
        comments: of the view, under the empty name, and of its columns.
        made: a view that is ready to take its place, where it may not.
    """

    view: Relation
    target: Relation | None = None
    comments: Mapping[str, str] = field(default_factory=dict)
    made: Relation | None = None


class _Current(threading.local):
    promotion: _Promotion | None = None


_current = _Current()


def begin(adapter: Any, view: Relation) -> None:
    """First in the transaction of a promotion: redirects SQLMesh's next creation of the view to `_create_view`."""
    _current.promotion = _Promotion(view)
    watch(adapter)


def watch(adapter: Any) -> None:
    """Redirects SQLMesh's creation of views to `_create_view`."""
    sqlmesh_inside.intercept_views(adapter, _create_view)


def finish(cursor: Cursor, view: Relation, declared: Declarations) -> None:
    """Last in the transaction of a promotion: shows the new version."""
    promotion, _current.promotion = _current.promotion, None
    if promotion is not None and promotion.target is not None:
        _replace(cursor, promotion, promotion.target, declared)
        return
    new = promotion.made if promotion is not None and promotion.made is not None else view
    if declared.materialized_view is not None:
        for shown in catalog.relations_read_by(cursor, new):
            _follow(cursor, shown, declared)
        materialized_views.serve(cursor, new)
    if new == view:
        dependents.restore(cursor, view)
    else:
        roles.grant_declared(cursor, new, declared)
        dependents.replace(cursor, view, new)


def _create_view(
    create: Callable[..., None], adapter: Any, view_name: Any, query: Any, *args: Any, **options: Any
) -> None:
    """In place of the adapter's `create_view`: takes no lock on a view that is being promoted and is there already.

    Where the view may be replaced, notes what it is to show; else has SQLMesh create a view beside it. A view that is not an
    environment's, which SQLMesh would drop and create again, is replaced where its columns allow it.
    """
    promotion = _current.promotion
    view = Relation.of(view_name)
    if promotion is None and options.get("replace", True) and catalog.is_view(adapter.cursor, view):
        if not _bind(adapter, view, query, *args, **options):
            create(view_name, query, *args, **options)
        return
    if promotion is None or promotion.view != view or not catalog.exists(adapter.cursor, view):
        create(view_name, query, *args, **options)
        return
    target = Relation.of(query)
    if _fits(adapter.cursor, view, target):
        dependents.save_grants(adapter.cursor, view)
        comments = {"": options.get("table_description"), **(options.get("column_descriptions") or {})}
        promotion.target = target
        promotion.comments = {name: text for name, text in comments.items() if text}
    else:
        from sqlglot import exp

        promotion.made = view.sibling(bounded_name("meshkeys_new", view.name))
        create(exp.table_(promotion.made.name, promotion.made.schema, quoted=True), query, *args, **options)


def _bind(adapter: Any, view: Relation, query: Any, *args: Any, **options: Any) -> bool:
    """Binds a view to other tables, in short attempts, in a transaction; returns whether its columns allow it."""
    from sqlglot import exp

    cursor = adapter.cursor
    cursor.execute(_ONE_AT_A_TIME)
    for table in query.find_all(exp.Table):
        roles.let_owner_read(cursor, view, Relation.of(table))
    name = exp.table_(view.name, view.schema, quoted=True)
    replace = partial(sqlmesh_inside.replace_view, adapter, name, query, *args, **options)
    cursor.execute("SAVEPOINT binding")
    try:
        locks.attempting(cursor, replace)
    except psycopg2.errors.InvalidTableDefinition:
        cursor.execute("ROLLBACK TO SAVEPOINT binding")
        return False
    return True


def _replace(cursor: Cursor, promotion: _Promotion, target: Relation, declared: Declarations) -> None:
    """Makes the view show another relation; readers wait for that one statement only."""
    view = promotion.view
    if declared.materialized_view is not None:
        _follow(cursor, target, declared)
        target = materialized_views.materialized_of(cursor, target)
    columns = {"", *catalog.columns(cursor, view)}
    _comment(cursor, view, {name: text for name, text in promotion.comments.items() if name in columns})
    roles.withdraw(cursor, view, declared)
    dependents.restore_grants(cursor, view)
    roles.let_owner_read(cursor, view, target)
    statement = sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT * FROM {}").format(view.identifier, target.identifier)
    locks.patiently(cursor, statement)
    _comment(cursor, view, {name: text for name, text in promotion.comments.items() if name not in columns})


def _follow(cursor: Cursor, physical: Relation, declared: Declarations) -> None:
    """Before a materialized view is shown: brings it up to date with its tables, committed separately."""
    with sessions.aside(cursor) as own:
        materialized_views.follow(own, physical, declared)


def _fits(cursor: Cursor, view: Relation, target: Relation) -> bool:
    """Whether a view may show another relation without changes other than columns added at its end."""
    if not catalog.is_view(cursor, view):
        return False
    cursor.execute(_SHAPE, (catalog.quoted(view),))
    now = cursor.fetchall()
    cursor.execute(_SHAPE, (catalog.quoted(target),))
    return cursor.fetchall()[: len(now)] == now


def _comment(cursor: Cursor, view: Relation, comments: Mapping[str, str]) -> None:
    """Sets those comments of a view and its columns that differ; the view's own is under the empty name."""
    cursor.execute(_COMMENTS, (catalog.quoted(view),))
    known = dict(cursor.fetchall())
    for name, text in comments.items():
        if known.get(name) != text:
            what = sql.SQL("COLUMN {}").format(sql.Identifier(view.schema, view.name, name)) if name else None
            statement = sql.SQL("COMMENT ON {} IS {}").format(
                what or sql.SQL("VIEW {}").format(view.identifier), sql.Literal(text)
            )
            cursor.execute(statement)
