"""What a project may choose: where notes are kept, how locks are taken, which roles there are, what else is done after a plan.

One set of settings holds for the process. `configure` is called where the macros are registered, and by programs of a project
that use this package without SQLMesh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor
    from sqlmesh.core.macros import MacroEvaluator

    from meshkeys.catalog import Relation

    AfterPlan = Callable[[Cursor, Sequence[Any], Mapping[str, Relation]], None]


@dataclass(frozen=True)
class Roles:
    """Roles that own and read what is built. Made where they are missing, without a login.

    Attributes:
        names: the roles; their rights on a view that the view's model does not grant are revoked.
        owner: the role that owns what SQLMesh builds.
        rights: role, schema, and privileges on the tables of that schema; with no privilege, only USAGE of the schema.
        database_rights: role and privileges on the database, of which PUBLIC then has none.
        members: role and the role whose rights it inherits.
        calls: role, schema and name of a function that it may call, where there is one.
    """

    names: tuple[str, ...]
    owner: str
    rights: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    database_rights: tuple[tuple[str, str], ...] = ()
    members: tuple[tuple[str, str], ...] = ()
    calls: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class Settings:
    """What a project may choose.

    Attributes:
        notes: the schema of the tables in which notes are kept.
        state: the schema of SQLMesh's state, where it is in the same database.
        lock_key: the number of the advisory lock that a plan, a run or a command holds.
        lock_holder: the environment variable that names the session that holds the lock, for processes inside of it.
        lock_timeout_ms: how long a statement that needs ACCESS EXCLUSIVE waits; readers queue behind it for that time.
        lock_attempts: how often such a statement is tried.
        lock_pause: between two attempts, the shortest and longest pause in seconds.
        models_select_their_days: whether each model of days gives rows of the evaluated days only. Else SQLMesh's own date filter
            stays, with which a first fill computes each row's time twice and PostgreSQL underestimates the rows.
        most_sessions: how many connections build indexes and parts side by side at the most.
        roles: which roles to keep. None: no role is made, and no ownership or right is touched.
        after_plan: functions called at the end of each plan or run of prod, in the transaction that notes what is declared, with
            a cursor, the models' snapshots, and the physical relation of each model by its name.
        settled: functions called last, before the lock is freed, with a cursor that commits by itself.
        elsewhere: called after each evaluation on another engine than PostgreSQL, where declarations do nothing by themselves.
    """

    notes: str = "ops"
    state: str = "sqlmesh"
    lock_key: int = 0x6D657368_6B657973  # "meshkeys"
    lock_holder: str = "MESHKEYS_LOCK_HOLDER"
    lock_timeout_ms: int = 200
    lock_attempts: int = 300
    lock_pause: tuple[float, float] = (0.05, 0.15)
    models_select_their_days: bool = False
    most_sessions: int = 4
    roles: Roles | None = None
    after_plan: tuple[AfterPlan, ...] = ()
    settled: tuple[Callable[[Cursor], None], ...] = ()
    elsewhere: Callable[[MacroEvaluator], None] | None = None


_current = Settings()


def current() -> Settings:
    """The settings that hold now."""
    return _current


def configure(settings: Settings | None = None, **changes: Any) -> Settings:
    """Sets the settings of the process: the given ones, else the defaults, with single changes.

    Raises:
        TypeError: there is no such setting.
    """
    global _current
    _current = replace(settings or Settings(), **changes)
    return _current


def in_notes(statement: str, **parts: sql.Composable) -> sql.Composed:
    """A statement on our notes: `{notes}` in it is the schema they are in, as an identifier."""
    return sql.SQL(statement).format(notes=sql.Identifier(_current.notes), **parts)


def note(name: str) -> Relation:
    """The table of that name in the schema of our notes."""
    from meshkeys.catalog import Relation

    return Relation(_current.notes, name)
