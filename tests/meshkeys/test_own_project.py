"""A project of others, scaffolded by SQLMesh, from before the package is added until after it is taken out again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

import meshkeys
from meshkeys import settings
from tests.conftest import RunningServer, fresh_database
from tests.meshkeys.project import Project

NOTES = 'my "notes"'  # any name will do
ITEMS = """
import typing as t
import pandas as pd
from sqlmesh import ExecutionContext, model


@model(
    "sqlmesh_example.items",
    kind="FULL",
    columns={"item_id": "int", "name": "text"},
    post_statements=["@primary_key(item_id)"],
)
def items(context: ExecutionContext, **options: t.Any) -> pd.DataFrame:
    return pd.DataFrame([(number, f"item {number}") for number in (1, 2, 3)], columns=["item_id", "name"])
"""
SOLD = """
MODEL (name sqlmesh_example.sold, kind VIEW);

SELECT sold.id, sold.event_date, items.name
FROM sqlmesh_example.incremental_model AS sold
LEFT JOIN sqlmesh_example.items AS items ON items.item_id = sold.item_id;

@materialized_view(unique_key := id, period := event_date, every := year);
@index(name);
"""
LATEST = """
MODEL (name sqlmesh_example.latest, kind INCREMENTAL_BY_UNIQUE_KEY (unique_key item_id));

SELECT DISTINCT item_id, 1::int AS n FROM sqlmesh_example.seed_model;

@primary_key(item_id);
@foreign_key(item_id, sqlmesh_example.items, item_id);
"""
HISTORY = """
MODEL (name sqlmesh_example.history, kind SCD_TYPE_2_BY_COLUMN (unique_key item_id, columns [name]));

SELECT item_id, name FROM sqlmesh_example.items;

@primary_key(item_id, valid_from);
"""
INCREMENTAL, SEED = "models/incremental_model.sql", "models/seed_model.sql"
# Keys of the table behind a view of prod, by the catalog alone.
KEYS = """
SELECT pg_get_constraintdef(c.oid), c.convalidated FROM pg_constraint AS c WHERE c.contype IN ('p', 'f') AND c.conrelid = (
    SELECT d.refobjid FROM pg_rewrite AS r JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    JOIN pg_class AS t ON t.oid = d.refobjid AND t.relkind = 'r'
    WHERE r.ev_class = to_regclass(%s) LIMIT 1) ORDER BY c.contype DESC
"""
BEHIND = """
SELECT DISTINCT t.relnamespace::regnamespace || '.' || t.relname FROM pg_rewrite AS r
JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
JOIN pg_class AS t ON t.oid = d.refobjid AND t.oid <> r.ev_class WHERE r.ev_class = to_regclass(%s)
"""
LEFT = """
SELECT nspname FROM pg_namespace WHERE nspname = %(notes)s
UNION ALL SELECT matviewname FROM pg_matviews
UNION ALL SELECT viewname FROM pg_views WHERE viewname ~ '__mv_'
UNION ALL SELECT rolname FROM pg_roles WHERE rolname ~ 'meshkeys'
UNION ALL SELECT rulename FROM pg_rules WHERE rulename ~ 'meshkeys'
UNION ALL SELECT relname FROM pg_class WHERE relname ~ '^(new_[0-9a-f]{8}__|meshkeys_)'
"""


@pytest.fixture(scope="module")
def project(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that was planned once before the package was added, on a database of its own."""
    with fresh_database(server) as url:
        made = Project(tmp_path_factory.mktemp("own"), url)
        made.init()
        made.plan()
        yield made


def keys(project: Project, model: str) -> list[tuple[object, ...]]:
    return project.query(KEYS, (f"sqlmesh_example.{model}",))


def behind(project: Project, view: str) -> str:
    (name,) = project.query(BEHIND, (view,))
    return str(name[0])


def points_at(project: Project) -> str:
    """The table that prod's foreign key points at; it is validated."""
    (definition, is_validated), *others = [k for k in keys(project, "incremental_model") if "FOREIGN" in str(k[0])]
    assert is_validated
    assert not others
    return str(definition).partition(" REFERENCES ")[2].partition("(")[0]


def assert_other_kinds_have_their_keys(project: Project) -> None:
    assert keys(project, "history") == [("PRIMARY KEY (item_id, valid_from)", True)]
    items = behind(project, "sqlmesh_example.items")
    points = f"FOREIGN KEY (item_id) REFERENCES {items}(item_id) DEFERRABLE INITIALLY DEFERRED"
    assert keys(project, "latest") == [("PRIMARY KEY (item_id)", True), (points, True)]


# One walk, in this order: each step begins where the one before ended.


def test_to_add_it_rebuilds_no_table(project: Project) -> None:
    before = {model: behind(project, f"sqlmesh_example.{model}") for model in ("seed_model", "incremental_model")}
    project.add_the_package(f"notes={NOTES!r}, lock_attempts=50")
    project.plan()
    assert {model: behind(project, f"sqlmesh_example.{model}") for model in before} == before
    assert project.query("SELECT count(*) FROM sqlmesh_example.incremental_model") == [(7,)]


def test_the_first_plan_with_declarations_makes_keys_of_all_kinds_of_models(project: Project) -> None:
    seed = behind(project, "sqlmesh_example.seed_model")
    project.write(SEED, (project.root / SEED).read_text() + "\n@primary_key(id);\n@index(event_date);\n")
    declared = "\n;\n@primary_key(id);\n@foreign_key(item_id, sqlmesh_example.items, item_id);\n"
    project.write(INCREMENTAL, (project.root / INCREMENTAL).read_text() + declared)
    project.edit(INCREMENTAL, "grain (id, event_date)", "grain (id, event_date), depends_on (sqlmesh_example.items)")
    project.write("models/items.py", ITEMS)
    project.write("models/sold.sql", SOLD)
    project.write("models/latest.sql", LATEST)
    project.write("models/history.sql", HISTORY)
    project.plan()
    assert keys(project, "seed_model") == [("PRIMARY KEY (id)", True)]
    assert behind(project, "sqlmesh_example.seed_model") == seed, "a key is built on the table that is there"
    assert keys(project, "items") == [("PRIMARY KEY (item_id)", True)]
    assert_other_kinds_have_their_keys(project)
    assert keys(project, "incremental_model")[0] == ("PRIMARY KEY (id)", True)
    assert points_at(project) == behind(project, "sqlmesh_example.items")
    assert project.query("SELECT count(*), count(name) FROM sqlmesh_example.sold") == [(7, 7)]
    assert "__mv_" in behind(project, "sqlmesh_example.sold")
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        project.query(
            f"INSERT INTO {behind(project, 'sqlmesh_example.incremental_model')} VALUES (8, 99, '2020-01-08')"
        )


def test_a_declaration_that_cannot_be_applied_is_refused_and_changes_nothing(project: Project) -> None:
    before = project.query("SELECT oid FROM pg_class ORDER BY oid")
    for file, old, new, said in (
        (SEED, "@primary_key(id)", "@primary_key(missing)", "@primary_key names missing"),
        ("models/items.py", "@primary_key(item_id)", "@primary_key(missing)", "@primary_key names missing"),
        ("models/sold.sql", "period := event_date", "period := name", "name as its period"),
    ):
        project.edit(file, old, new)
        assert said in project.plan(succeeds=False)
        project.configure({"linter": {"enabled": False, "rules": []}})
        refused = project.plan(succeeds=False)
        assert "Nothing was changed" in refused
        assert said in refused
        project.edit(file, new, old)
        project.configure({})
    assert project.query("SELECT oid FROM pg_class ORDER BY oid") == before


def test_after_a_breaking_change_of_the_parent_the_foreign_key_follows(project: Project) -> None:
    before = points_at(project)
    project.edit("models/items.py", "item {number}", "thing {number}")
    project.plan()
    after = points_at(project)
    assert after == behind(project, "sqlmesh_example.items") != before
    assert keys(project, "items") == [("PRIMARY KEY (item_id)", True)]
    assert project.query("SELECT DISTINCT left(name, 5) FROM sqlmesh_example.sold") == [("thing",)]


def test_dev_leaves_prods_keys_alone_and_its_promotion_moves_them(project: Project) -> None:
    prods = points_at(project)
    project.edit("models/items.py", "thing {number}", "good {number}")
    project.plan("dev", "--include-unmodified")
    assert points_at(project) == prods == behind(project, "sqlmesh_example.items")
    devs = behind(project, "sqlmesh_example__dev.items")
    assert devs != prods
    project.plan()
    assert points_at(project) == devs == behind(project, "sqlmesh_example.items")
    assert project.query("SELECT DISTINCT left(name, 4) FROM sqlmesh_example.sold") == [("good",)]


def test_a_run_keeps_them_and_the_janitor_takes_none_away(project: Project) -> None:
    project.sqlmesh("run", "--ignore-cron")
    project.sqlmesh("invalidate", "dev", "--sync")
    project.sqlmesh("janitor", "--ignore-ttl")
    assert points_at(project) == behind(project, "sqlmesh_example.items")
    assert keys(project, "seed_model") == [("PRIMARY KEY (id)", True)]
    assert_other_kinds_have_their_keys(project)
    assert project.query("SELECT count(*) FROM sqlmesh_example.sold") == [(7,)]
    assert project.query("SELECT count(*) FROM pg_tables WHERE tablename LIKE '%%items__%%'") == [(1,)]


def test_no_role_and_no_right_was_touched(project: Project) -> None:
    """The settings name no roles."""
    owners = (
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname ~ '^sqlmesh' UNION SELECT viewowner FROM pg_views"
    )
    owners += " WHERE schemaname ~ '^sqlmesh'"
    assert project.query(owners) == project.query("SELECT current_user::text")
    assert project.query("SELECT datacl FROM pg_database WHERE datname = current_database()") == [(None,)]


def test_it_is_taken_out_without_a_trace(project: Project) -> None:
    assert project.query(LEFT, {"notes": NOTES})
    project.configure({}, without=True)
    for file in ("macros/declarations.py", "linter/keys.py"):
        (project.root / file).unlink()
    for file in (SEED, INCREMENTAL, "models/sold.sql", "models/latest.sql", "models/history.sql"):
        lines = (project.root / file).read_text().splitlines()
        project.write(file, "\n".join(line for line in lines if not line.startswith("@")) + "\n")
    project.edit("models/items.py", '    post_statements=["@primary_key(item_id)"],\n', "")
    project.plan()
    before = settings.current()
    with closing(psycopg2.connect(project.url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        meshkeys.configure(notes=NOTES)
        try:
            meshkeys.remove(cursor)
        finally:
            settings.configure(before)
    assert not project.query(LEFT, {"notes": NOTES})
    assert keys(project, "seed_model") == [("PRIMARY KEY (id)", True)]
    assert project.query("SELECT count(*), count(name) FROM sqlmesh_example.sold") == [(7, 7)]
    project.plan("prod", "--restate-model", "sqlmesh_example.full_model")
    project.sqlmesh("run", "--ignore-cron")
    assert not project.query(LEFT, {"notes": NOTES})
