"""Refreshes what prod serves from materialized views, while it is read; needs no SQLMesh."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING

from foundation import database
from foundation.errors import UsageError
from foundation.queries import relations_exist
from meshkeys import catalog, change, declarations, materialized_views
from meshkeys.catalog import Relation
from revops.embedded import server
from revops.ledger import seals

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from revops.settings import Settings

_log = logging.getLogger(__name__)


def refresh(settings: Settings, mode: str = "auto") -> None:
    """Refreshes the parts whose inputs changed; with a mode other than auto, all parts in that mode.

    The caller holds the warehouse's lock. Readers see all new parts at once; a refresh that is killed leaves the old ones.

    Raises:
        UsageError: nothing is built yet.
        DatabaseUnavailable: the database cannot be reached, or a reader kept its lock for too long.
    """
    if not bring_up_to_date(server.up(settings), mode):
        raise UsageError("There is nothing to refresh: nothing is built yet.\n  revops run")


def bring_up_to_date(dsn: str, mode: str = "auto") -> bool:
    """Refreshes as `refresh` does; returns whether prod has any materialized view."""
    with closing(database.connect(dsn, "revops refresh", autocommit=True)) as connection, connection.cursor() as cursor:
        found = materialized(cursor)
        if found:
            change.put_back(cursor)
            materialized_views.reap(cursor)  # what a failed refresh had built but not yet served
        for each in found:
            show(cursor, *each, mode)
        if found:
            materialized_views.reap(cursor)
            seals.note_all(cursor)
    return bool(found)


def show(cursor: Cursor, model: str, view: Relation, declared: declarations.Declarations, mode: str = "auto") -> None:
    """Refreshes the parts of one materialized model whose inputs changed, and has prod show them.

    Args:
        cursor: commits by itself.
        model: as `materialized` gives it, with what follows.
        view: the physical view.
        declared: what the model declares.
        mode: as for `refresh`.

    Raises:
        DatabaseUnavailable: a reader kept its lock for too long.
    """
    query = catalog.view_definition(cursor, view)
    assert query is not None
    reason = "asked for" if mode == "auto" else "forced"
    parts = materialized_views.refresh(cursor, view, query.rstrip(" ;"), declared, mode, reason)
    materialized_views.serve(cursor, Relation.parse(model))
    _log.info("%s: %s", model, _told(parts))
    for part in parts:
        _log.info("  %s: %d rows", part.period.label, part.row_count)


def materialized(cursor: Cursor) -> list[tuple[str, Relation, declarations.Declarations]]:
    """Prod's materialized models: name, physical view and declarations."""
    if not relations_exist(cursor, "ops.declarations"):
        return []
    cursor.execute(
        "SELECT model, relation, declared FROM ops.declarations WHERE declared ->> 'materialized_view' IS NOT NULL"
    )
    return [
        (model, Relation.parse(name), declarations.from_json(declared)) for model, name, declared in cursor.fetchall()
    ]


def _told(parts: list[materialized_views.Part]) -> str:
    return f"{len(parts)} parts refreshed" if parts else "every part is up to date"
