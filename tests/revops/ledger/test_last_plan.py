"""Prod is taken as planned only while files, SQLMesh's own plan and, where it matters, the day are those that were noted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from foundation import ops
from revops.ledger import last_plan

DAY, NEXT = date(2020, 1, 1), date(2020, 1, 2)


@pytest.fixture
def cursor(database_url: str) -> Iterator[Cursor]:
    """On a database in which SQLMesh has planned prod."""
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as made:
        made.execute("CREATE SCHEMA sqlmesh; CREATE TABLE sqlmesh._environments (name text, plan_id text)")
        made.execute("INSERT INTO sqlmesh._environments VALUES ('prod', 'one'), ('dev', 'other')")
        yield made


def test_nothing_is_known_where_nothing_was_noted(cursor: Cursor) -> None:
    assert not last_plan.is_current(cursor, "files", DAY), "there is no table yet"
    ops.create_for_builds(cursor)
    assert not last_plan.is_current(cursor, "files", DAY)


def test_a_plan_is_current_until_files_day_or_plan_are_others(cursor: Cursor) -> None:
    ops.create_for_builds(cursor)
    cursor.execute("INSERT INTO ops.models (model, node, asks_for_the_time) VALUES ('a.b', '{}', false)")
    last_plan.record(cursor, "before", DAY)
    last_plan.record(cursor, "files", DAY)
    assert last_plan.is_current(cursor, "files", DAY)
    assert not last_plan.is_current(cursor, "before", DAY)
    assert last_plan.is_current(cursor, "files", NEXT), "no model asks for the time"
    cursor.execute("INSERT INTO ops.models (model, node, asks_for_the_time) VALUES ('a.now', '{}', true)")
    assert not last_plan.is_current(cursor, "files", NEXT)
    cursor.execute("UPDATE sqlmesh._environments SET plan_id = 'other' WHERE name = 'dev'")
    assert last_plan.is_current(cursor, "files", DAY), "of another environment"
    cursor.execute("UPDATE sqlmesh._environments SET plan_id = 'two' WHERE name = 'prod'")
    assert not last_plan.is_current(cursor, "files", DAY)


def test_what_an_earlier_version_noted_holds_for_its_day(cursor: Cursor) -> None:
    ops.create_for_builds(cursor)
    cursor.execute("INSERT INTO ops.models (model, node) VALUES ('a.b', '{}')")
    cursor.execute("ALTER TABLE ops.models DROP COLUMN asks_for_the_time, DROP COLUMN rendered")
    last_plan.record(cursor, "files", DAY)
    assert last_plan.is_current(cursor, "files", DAY)
    assert not last_plan.is_current(cursor, "files", NEXT)


def test_a_plan_that_began_is_not_current(cursor: Cursor) -> None:
    ops.create_for_builds(cursor)
    last_plan.record(cursor, "files", DAY)
    last_plan.forget(cursor)
    assert not last_plan.is_current(cursor, "files", DAY)


@pytest.mark.unit
def test_a_digest_follows_every_file_that_a_plan_reads(tmp_path: Path) -> None:
    for part in last_plan.PARTS[1:]:
        (tmp_path / part).mkdir()
    (tmp_path / "config.yaml").write_text("a: 1")
    (tmp_path / "models" / "one.sql").write_text("SELECT 1")
    first = last_plan.project_digest(tmp_path)
    (tmp_path / "models" / "one.sql").write_text("SELECT 2")
    changed = last_plan.project_digest(tmp_path)
    (tmp_path / "models" / "one.sql").rename(tmp_path / "models" / "two.sql")
    renamed = last_plan.project_digest(tmp_path)
    (tmp_path / "seeds" / "new.csv").touch()
    added = last_plan.project_digest(tmp_path)
    assert len({first, changed, renamed, added}) == 4
    for ignored in ("README.md", "macros/__pycache__/x.pyc"):
        (tmp_path / ignored).parent.mkdir(exist_ok=True)
        (tmp_path / ignored).write_text("x")
    assert last_plan.project_digest(tmp_path) == added
