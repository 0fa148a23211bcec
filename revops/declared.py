"""The settings with which this warehouse uses `meshkeys`, the package that keeps keys and materialized views as declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from meshkeys.settings import Settings
from revops.roles import ROLES

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor
    from sqlmesh.core.macros import MacroEvaluator

    from meshkeys.catalog import Relation


def _note_models(cursor: Cursor, snapshots: Sequence[Any], tables: Mapping[str, Relation]) -> None:
    from revops.ledger import models  # imported late: most commands read no model

    models.note(cursor, snapshots, tables)


def _prepare_what_if(cursor: Cursor, snapshots: Sequence[Any], tables: Mapping[str, Relation]) -> None:
    from revops.desk import what_if

    what_if.create(cursor, snapshots, tables)


def _seal(cursor: Cursor) -> None:
    from revops.ledger import seals

    seals.note_all(cursor)


def _on_another_engine(evaluator: MacroEvaluator) -> None:
    from revops.engines import evaluations  # imported where another engine is asked for

    evaluations.after(evaluator)


SETTINGS = Settings(
    notes="ops",
    lock_key=0x7265766F_70730001,  # "revops", lock 1
    lock_holder="REVOPS_LOCK_HOLDER",
    models_select_their_days=True,  # a lint rule sees to it
    roles=ROLES,
    after_plan=(_note_models, _prepare_what_if),
    settled=(_seal,),
    elsewhere=_on_another_engine,
)
