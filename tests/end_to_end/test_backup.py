"""A backup restored elsewhere is the same warehouse: it verifies, and a plan finds nothing to do. A damaged one is refused."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2
import pytest

from revops import backup
from tests.conftest import ROOT, RUN, new_server
from tests.end_to_end.conftest import NAME, Built, recreate
from tests.end_to_end.warehouse import Warehouse, copy_of_project
from tests.end_to_end.whole import command

REVOPS = (sys.executable, "-m", "loaders")


# Who owns what, and who may do what, down to each relation and the database.
RIGHTS = """
SELECT 'database', current_database(), pg_get_userbyid(datdba), g.grantee::regrole::text, g.privilege_type FROM pg_database
CROSS JOIN LATERAL aclexplode(coalesce(datacl, acldefault('d', datdba))) AS g WHERE datname = current_database()
UNION ALL
SELECT 'schema', nspname, pg_get_userbyid(nspowner), g.grantee::regrole::text, g.privilege_type FROM pg_namespace
CROSS JOIN LATERAL aclexplode(coalesce(nspacl, acldefault('n', nspowner))) AS g WHERE nspname !~ '^pg_'
UNION ALL
SELECT c.relkind::text, n.nspname || '.' || c.relname, pg_get_userbyid(c.relowner), g.grantee::regrole::text, g.privilege_type
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault(
    CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) AS g
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
ORDER BY 1, 2, 3, 4, 5
"""


# As desk.decide writes it; the core of the project, which is built here, has no alerts to decide on.
DECIDED = """
INSERT INTO desk.decisions (decided_by, transaction_id, transacted_at, card_id, score, rule_names, rules, decision)
VALUES ('alice', {}, '2019-10-30 12:00', 2428, 30, 'large', '[]', 'fraud')
"""
NUMBERS = "SELECT array_agg(transaction_id ORDER BY decision_id) FROM desk.decisions"


def embedded(home: Path, project: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """A command on the embedded server of a home of its own."""
    environ = {
        **os.environ, "REVOPS_HOME": str(home), "REVOPS_ENV_FILE": f"{home}.env", "REVOPS_ROOT": str(project), **changes,
    }  # fmt: skip
    return subprocess.run(
        [*REVOPS, *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=900, check=False
    )


@dataclass(frozen=True)
class BackedUp:
    """An embedded warehouse, and a backup of it."""

    project: Path
    home: Path
    folder: Path


@pytest.fixture(scope="module")
def backed_up(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackedUp]:
    home, project = RUN / "backed up", copy_of_project(tmp_path_factory.mktemp("project") / "project")
    folder = tmp_path_factory.mktemp("backups") / "first"
    try:
        ran = embedded(home, project, "run", "--data", str(built.data))
        assert ran.returncode == 0, ran.stderr
        made = embedded(
            home, project, "psql", "-c", "CREATE ROLE alice LOGIN PASSWORD 'for tests' IN ROLE revops_analyst"
        )
        assert made.returncode == 0, made.stderr
        decided = embedded(home, project, "psql", "-c", DECIDED.format(1))
        assert decided.returncode == 0, decided.stderr
        done = embedded(home, project, "backup", "--out", str(folder))
        assert done.returncode == 0, done.stderr
        yield BackedUp(project, home, folder)
    finally:
        new_server(home=home).down()


def test_a_backup_is_private_and_holds_the_key_and_digests_of_all_files(backed_up: BackedUp) -> None:
    folder = backed_up.folder
    paths = [folder, *folder.rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600, 0o700}
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert (folder / "pan.key").read_text() == (backed_up.home / "pan.key").read_text()
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", backup.SUMS], cwd=folder, capture_output=True, check=False
    )
    assert checked.returncode == 0
    found = backup.read(folder)
    assert found.rows["facts.fct_transactions"] > 0
    password = (backed_up.home / "password").read_text().strip()
    for path in (folder / backup.MANIFEST, folder / backup.SUMS, *(backed_up.home / "logs").glob("revops.log")):
        assert password not in path.read_text()


def test_restored_into_an_empty_server_it_verifies_and_a_plan_finds_nothing(backed_up: BackedUp) -> None:
    home = RUN / "restored"
    try:
        done = embedded(home, backed_up.project, "restore", str(backed_up.folder))
        assert done.returncode == 0, done.stderr
        assert (home / "pan.key").read_text() == (backed_up.home / "pan.key").read_text()
        rights = [embedded(each, backed_up.project, "psql", "-Atc", RIGHTS) for each in (backed_up.home, home)]
        assert rights[1].stdout.splitlines() == rights[0].stdout.splitlines()
        assert "revops_analyst" in rights[0].stdout
        verified = embedded(home, backed_up.project, "verify", "--json")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        analysts = next(check for check in json.loads(verified.stdout) if "analyst" in check["name"])
        assert "reads" in analysts["detail"]
        plan = embedded(home, backed_up.project, "sqlmesh", "plan", "--no-prompts", "--skip-tests")
        assert "No changes to plan" in plan.stdout, plan.stdout + plan.stderr
        as_alice = embedded(
            home, backed_up.project, "psql", "-Atc",
            "SET ROLE alice; SELECT count(*) > 0 FROM serving.enriched_transactions",
        )  # fmt: skip
        assert as_alice.stdout.splitlines()[-1] == "t", as_alice.stderr
        assert "alice" in done.stderr
        assert embedded(home, backed_up.project, "psql", "-Atc", NUMBERS).stdout == "{1}\n"
        after = embedded(home, backed_up.project, "psql", "-c", DECIDED.format(2))
        assert after.returncode == 0, after.stderr
        twice = embedded(home, backed_up.project, "restore", str(backed_up.folder))
        assert (twice.returncode, "--replace" in twice.stderr) == (2, True)
        again = embedded(home, backed_up.project, "restore", str(backed_up.folder), "--replace")
        assert again.returncode == 0, again.stderr
        kept = embedded(home, backed_up.project, "psql", "-Atc", NUMBERS).stdout
        assert kept == "{1,2}\n", "what was decided after the backup is not in it, and is kept"
        changed = embedded(home, backed_up.project, "psql", "-c", "DELETE FROM desk.decisions")
        assert "a correction is a new decision" in changed.stderr
        other = embedded(
            home, backed_up.project, "restore", str(backed_up.folder), "--replace", REVOPS_PAN_KEY="5a" * 32
        )
        assert (other.returncode, "another key" in other.stderr) == (2, True)
    finally:
        new_server(home=home).down()


def test_a_backup_of_16_goes_into_an_embedded_18(built: Built, tmp_path: Path) -> None:
    home, project = RUN / "of 16", copy_of_project(tmp_path / "project")
    of_16 = {"REVOPS_POSTGRES_VERSION": "16"}
    try:
        loaded = embedded(home, project, "run", "--data", str(built.data), **of_16)
        assert loaded.returncode == 0, loaded.stderr
        done = embedded(home, project, "backup", "--out", str(tmp_path / "backup"), **of_16)
        assert done.returncode == 0, done.stderr
        assert embedded(home, project, "down", **of_16).returncode == 0
        restored = embedded(home, project, "restore", str(tmp_path / "backup"), REVOPS_POSTGRES_VERSION="18")
        assert restored.returncode == 0, restored.stderr
        verified = embedded(home, project, "verify")
        assert verified.returncode == 0, verified.stdout
        status = json.loads(embedded(home, project, "status", "--json").stdout)
        assert status["server"]["version"].startswith("18")
        back = embedded(home, project, "backup", "--out", str(tmp_path / "of 18"))
        assert back.returncode == 0, back.stderr
        older = embedded(home, project, "restore", str(tmp_path / "of 18"), "--replace", **of_16)
        assert (older.returncode, "this server is 16" in older.stderr) == (2, True)
    finally:
        new_server(16, home=home).down()
        new_server(18, home=home).down()


def test_a_killed_backup_is_taken_for_none_and_the_next_one_is_whole(warehouse: Warehouse, tmp_path: Path) -> None:
    folder = tmp_path / "backups" / "one"
    holder = psycopg2.connect(warehouse.url)
    try:
        with holder.cursor() as cursor:
            cursor.execute("LOCK TABLE raw.users")
            environ = {
                **os.environ, "DB_CONNECTION_STRING": warehouse.url, "REVOPS_HOME": str(warehouse.root / "home"),
                "REVOPS_ENV_FILE": "/nonexistent", "REVOPS_ROOT": str(warehouse.root), "REVOPS_PAN_KEY": "11" * 32,
            }  # fmt: skip
            killed = subprocess.Popen([*REVOPS, "backup", "--out", str(folder)], cwd=ROOT, env=environ)
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'raw.users'::regclass"
            deadline = time.monotonic() + 60
            while warehouse.query(waiting) == [(0,)] and time.monotonic() < deadline:
                time.sleep(0.1)
            killed.kill()
            killed.wait()
        assert [path.suffix for path in folder.parent.iterdir()] == [".unfinished"]
    finally:
        holder.close()
    made = command(warehouse, "backup", "--out", str(folder), "--wait", "60")
    assert made.returncode == 0, made.stderr
    assert [path.name for path in folder.parent.iterdir()] == ["one"]
    assert backup.read(folder).rows["raw.users"] > 0


def test_an_external_server_is_restored_too(warehouse: Warehouse, built: Built, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    made = command(warehouse, "backup", "--out", str(folder))
    assert made.returncode == 0, made.stderr
    assert "REVOPS_PAN_KEY" in made.stdout
    assert not (folder / "pan.key").exists()
    before = warehouse.served()
    recreate(built.server, NAME, "template0")
    done = command(warehouse, "restore", str(folder))
    assert done.returncode == 0, done.stderr
    assert warehouse.served() == before
    warehouse.assert_sound()


def test_an_account_that_is_no_superuser_restores_into_its_own_database(
    warehouse: Warehouse, built: Built, tmp_path: Path
) -> None:
    made = command(warehouse, "backup", "--out", str(tmp_path / "backup"))
    assert made.returncode == 0, made.stderr
    before = warehouse.served()
    recreate(built.server, NAME, "template0")
    warehouse.query(
        "CREATE ROLE restorer LOGIN PASSWORD 'for tests'; GRANT revops_transformer TO restorer;"
        f" ALTER DATABASE {NAME} OWNER TO restorer"
    )
    try:
        address = warehouse.url.rpartition("@")[2]
        plain = replace(warehouse, url=f"postgresql://restorer:for%20tests@{address}")
        done = command(plain, "restore", str(tmp_path / "backup"))
        assert done.returncode == 0, done.stderr
        assert plain.served() == before
        owners = dict(warehouse.query("SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace"))
        assert {owners[schema] for schema in ("raw", "ops", "sqlmesh")} == {"restorer"}
        assert {owners[schema] for schema in ("facts", "serving", "sqlmesh__facts")} == {"revops_transformer"}
        plain.assert_sound()
    finally:
        recreate(built.server, NAME, "template0")
        warehouse.query("DROP ROLE restorer")


@pytest.mark.parametrize("name", [backup.MANIFEST, backup.SUMS, "pan.key", "database/toc.dat"])
def test_one_changed_byte_is_refused(backed_up: BackedUp, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(backed_up.folder, tmp_path / "copy")
    contents = bytearray((folder / name).read_bytes())
    contents[len(contents) // 2] ^= 1
    (folder / name).write_bytes(contents)
    done = embedded(tmp_path / "home", backed_up.project, "restore", str(folder))
    assert (done.returncode, "damaged" in done.stderr) == (3, True), done.stderr
    assert not (tmp_path / "home").exists()


def test_an_unfinished_or_missing_backup_is_refused(backed_up: BackedUp, tmp_path: Path) -> None:
    folder = shutil.copytree(backed_up.folder, tmp_path / "copy")
    (folder / backup.SUMS).unlink()
    assert embedded(tmp_path / "home", backed_up.project, "restore", str(folder)).returncode == 3
    assert embedded(tmp_path / "home", backed_up.project, "restore", str(tmp_path / "none")).returncode == 2
    full = embedded(backed_up.home, backed_up.project, "backup", "--out", str(folder))
    assert (full.returncode, "there already" in full.stderr) == (2, True)
