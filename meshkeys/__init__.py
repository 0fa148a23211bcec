"""Keys, indexes and materialized views on PostgreSQL that live with SQLMesh's versions of tables, as the models declare them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshkeys.settings import Roles, Settings, configure

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

__all__ = ["Roles", "Settings", "configure", "register", "remove"]


def register(settings: Settings | None = None, **changes: Any) -> None:
    """Registers the macros in the SQLMesh project whose file in macros/ calls this, and applies settings to the process.

    Args:
        settings: what to begin with, else the defaults.
        **changes: single settings, by name: see `Settings`.
    """
    from meshkeys import idle, macros

    configure(settings, **changes)
    macros.register()
    idle.watch()  # no macro is called by a plan or run that finds nothing to do


def remove(cursor: Cursor) -> None:
    """Removes from a database all that this package keeps in it, except keys and indexes: see `meshkeys.removal.remove`."""
    from meshkeys import removal

    removal.remove(cursor)
