"""A whole warehouse for tests: a copy of the project that may be edited, a database, its commands, and a reader."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from bench.project import copied
from revops import lock
from revops import settings as revops_settings
from revops.verify import Result

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Warehouse:
    """A project and its database.

    Attributes:
        root: the copy of the project.
        url: the database.
        data: the folder with the raw files.
    """

    root: Path
    url: str
    data: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> revops_settings.Settings:
        return revops_settings.load(
            {
                "DB_CONNECTION_STRING": self.url,
                "REVOPS_HOME": str(self.root / "home"),
                "REVOPS_ENV_FILE": "/nonexistent",
            },
            self.root,
        )

    @contextmanager
    def commands(self) -> Iterator[None]:
        """As a process of revops: sees the database, holds the lock."""
        before = dict(os.environ)
        os.environ.update(self.settings.child_environment(self.url, {}))
        os.environ["REVOPS_PAN_KEY"] = "11" * 32
        try:
            with lock.hold(self.url, "test", wait=20):
                yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def load(self, **options: Any) -> None:
        from loaders.landing import land

        with self.commands():
            land(self.url, self.data, **options)

    def build(self, environment: str = "prod") -> None:
        from revops.build import build

        with self.commands():
            build(self.settings, environment)

    def refresh(self, mode: str = "auto") -> None:
        from revops.refresh import refresh

        with self.commands():
            refresh(self.settings, mode)

    def plan(self, environment: str = "prod", **options: Any) -> None:
        """`sqlmesh plan`, as an engineer types it: without revops around it."""
        with self._sqlmesh() as context:
            context.plan(environment, auto_apply=True, no_prompts=True, skip_tests=True, **options)

    def run(self, environment: str = "prod", **options: Any) -> None:
        """`sqlmesh run`."""
        with self._sqlmesh() as context:
            context.run(environment, **options)

    def janitor(self, ignore_ttl: bool = False) -> None:
        """`sqlmesh janitor`."""
        with self._sqlmesh() as context:
            context.run_janitor(ignore_ttl)

    def invalidate(self, environment: str) -> None:
        """`sqlmesh invalidate`."""
        with self._sqlmesh() as context:
            context.invalidate_environment(environment, sync=True)

    @contextmanager
    def _sqlmesh(self) -> Iterator[Any]:
        from revops import sqlmesh_project

        before = dict(os.environ)
        os.environ.update(self.settings.child_environment(self.url, {}))
        try:
            context = sqlmesh_project.context(self.settings)
            try:
                yield context
            finally:
                context.close()
        finally:
            os.environ.clear()
            os.environ.update(before)

    def edit(self, file: str, old: str, new: str) -> None:
        """Changes a file of the project."""
        path = self.root / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} does not hold {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def query(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def verify(self, since_last: bool = False) -> list[Result]:
        from revops.verify import verify

        return verify(self.settings, since_last)

    def assert_sound(self) -> None:
        """Every invariant holds, and prod's keys stand in the catalog, asked for without any code of ours."""
        failed = [f"{result.name}: {result.detail}" for result in self.verify() if not result.passed]
        assert not failed, "\n".join(failed)
        foreign_keys = self.query(_FOREIGN_KEYS)
        assert foreign_keys == [
            ("dimensions.dim_cards", "client_id", "dimensions.dim_users", True),
            ("facts.fct_transactions", "card_id", "dimensions.dim_cards", True),
            ("facts.fct_transactions", "client_id", "dimensions.dim_users", True),
            ("facts.fct_transactions", "mcc", "dimensions.dim_mcc", True),
        ], f"foreign keys: {foreign_keys}"
        missing = {
            ("dim_cards", "card_id"),
            ("dim_dates", "date_day"),
            ("dim_mcc", "mcc"),
            ("dim_users", "client_id"),
            ("fct_fraud_labels", "transaction_id"),
            ("fct_outcomes", "transaction_id"),
            ("fct_transactions", "transaction_id"),
        } - set(self.query(_PRIMARY_KEYS))
        assert not missing, f"no primary key: {missing}"

    def served(self) -> tuple[Any, ...]:
        """What a reader sees: rows, dollars, labels."""
        return self.query(Reader.QUERY)[0]


# The physical table behind each view of prod, by the catalog alone.
_BEHIND = """
WITH behind AS (
    SELECT n.nspname || '.' || v.relname AS model, n.nspname AS layer, v.relname AS name, d.refobjid AS oid
    FROM pg_class AS v
    JOIN pg_namespace AS n ON n.oid = v.relnamespace AND n.nspname IN ('dimensions', 'facts')
    JOIN pg_rewrite AS r ON r.ev_class = v.oid
    JOIN pg_depend AS d ON d.objid = r.oid AND d.classid = 'pg_rewrite'::regclass
                       AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid AND d.refobjsubid = 0
    UNION
    SELECT n.nspname || '.' || v.relname, n.nspname, v.relname, d.refobjid
    FROM pg_class AS v
    JOIN pg_namespace AS n ON n.oid = v.relnamespace AND n.nspname IN ('dimensions', 'facts')
    JOIN pg_rewrite AS r ON r.ev_class = v.oid
    JOIN pg_depend AS d ON d.objid = r.oid AND d.classid = 'pg_rewrite'::regclass
                       AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
)
"""
_FOREIGN_KEYS = (
    _BEHIND
    + """
SELECT child.model, a.attname, parent.model, c.convalidated
FROM behind AS child
JOIN pg_constraint AS c ON c.conrelid = child.oid AND c.contype = 'f'
JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
LEFT JOIN behind AS parent ON parent.oid = c.confrelid
ORDER BY 1, 2
"""
)
_PRIMARY_KEYS = (
    _BEHIND
    + """
SELECT b.name, string_agg(a.attname, ',' ORDER BY k.place)
FROM behind AS b
JOIN pg_constraint AS c ON c.conrelid = b.oid AND c.contype = 'p'
CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k (attnum, place)
JOIN pg_attribute AS a ON a.attrelid = b.oid AND a.attnum = k.attnum
GROUP BY 1 ORDER BY 1
"""
)


_copies: dict[bool, list[Path]] = {True: [], False: []}


def copy_of_project(folder: Path, whole: bool = os.environ.get("REVOPS_TEST_WHOLE") == "1") -> Path:
    """A copy of the SQLMesh project, to edit: its core, because each plan takes the longer the more models there are.

    `REVOPS_TEST_WHOLE=1` has every test use the whole project. What SQLMesh made of the models of an earlier copy is copied too,
    or each would parse them all again; not which tables they have, that is of the earlier copy's database.
    """
    copied(folder, whole)
    earlier = next((each for each in _copies[whole] if (each / ".cache").is_dir()), None)
    if earlier:
        shutil.copytree(earlier / ".cache", folder / ".cache", ignore=shutil.ignore_patterns("snapshot"))
    _copies[whole].append(folder)
    return folder


class Reader:
    """Polls the served relation, or another query, over 40 times a second from a process of its own, as dashboards do.

    With `reconnects` it goes on when its connection is lost, as it must be when the server crashes.
    """

    QUERY = "SELECT count(*), sum(amount), count(is_fraud) FROM serving.enriched_transactions"

    def __init__(self, url: str, pause: float = 0.02, reconnects: bool = False, query: str = QUERY) -> None:
        program = [sys.executable, str(Path(__file__).with_name("poller.py"))]
        self._command = [*program, url, query, str(pause), str(int(reconnects))]
        self.found: dict[str, Any] = {}

    def __enter__(self) -> Reader:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "polling\n"
        return self

    def __exit__(self, *_: object) -> None:
        printed, _ = self._process.communicate(timeout=60)
        self.found = json.loads(printed.splitlines()[-1])

    def assert_undisturbed(self, *allowed: tuple[Any, ...]) -> None:
        """No error, no wait for a lock beyond half a second, and nothing seen but these whole states."""
        assert not self.found["error"], self.found["error"]
        assert self.found["polls"] > 10
        assert set(self.found["seen"]) <= {repr(state) for state in allowed}
