"""Whatever is killed, cut off or in the way: nothing half is left, and the next landing converges to the undisturbed state."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from foundation.errors import DatabaseUnavailable
from loaders import file_landing, postgres
from loaders.errors import InputRefused
from loaders.landing import land
from loaders.protect import KeyStore
from tests.conftest import ROOT, RunningServer, new_server
from tests.loaders.made import CARDS_HEADER, HEADER, card, csv_file, transaction
from tests.loaders.warehouse import Query, assert_reconciled
from tests.revops.processes import kill_server
from tests.small_disk import database_on_small_disk

ROWS = 40_000
KILLS = 6
_CHILD = """
import sys
from pathlib import Path
from loaders import file_landing, landing
from loaders.protect import KeyStore
file_landing.LARGE_FILE_BYTES = int(sys.argv[4])
landing.WORTH_A_CONNECTION = 0
print("ready", flush=True)
landing.land(sys.argv[1], Path(sys.argv[2]), pan_key=KeyStore(Path(sys.argv[3])))
print("done", flush=True)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files large enough that a landing takes a moment."""
    folder = tmp_path_factory.mktemp("data")
    rows = [transaction(n, date=f"2010-01-{1 + n * 28 // ROWS:02} 00:00:00") for n in range(ROWS)]
    rows[7] = "bad"
    csv_file(folder, "transactions.csv", rows)
    csv_file(folder, "cards.csv", [card(n) for n in range(500)], header=CARDS_HEADER)
    labels = ", ".join(f'"{n}": "No"' for n in range(ROWS))
    (folder / "labels.json").write_text(f'{{"target": {{{labels}}}}}')
    return folder


def child(dsn: str, data: Path, key: Path, large: int = 0) -> subprocess.Popen[str]:
    """A process that lands the files; it has said that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD, dsn, str(data), str(key), str(large)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def state(dsn: str) -> dict[str, Any]:
    """What a warehouse holds, apart from ids and times."""
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:

        def all_of(statement: str) -> Any:
            cursor.execute(statement)
            return cursor.fetchall()

        found: dict[str, Any] = {
            relation: all_of(
                f"SELECT count(*), sum(hashtext((to_jsonb(t) - '_file_id' - '_loaded_at')::text)) FROM raw.{relation} t"
            )
            for relation in ("transactions", "cards", "fraud_labels")
        }
        found["files"] = all_of(
            "SELECT name, sha256, rows_read, rows_rejected, amount_sum FROM ops.load_files ORDER BY 1"
        )
        found["rejects"] = all_of(
            "SELECT file_name, line_number, reason, raw_line FROM ops.rejected_rows ORDER BY 1, 2"
        )
        found["days"] = all_of("SELECT DISTINCT relation, starts_on, ends_before FROM ops.changes ORDER BY 1, 2, 3")
        found["left over"] = all_of(
            "SELECT relname FROM pg_class WHERE relnamespace = 'raw'::regnamespace AND relkind = 'r'"
            " AND NOT relispartition AND relname <> 'superseded_rows'"
        )
    connection.close()
    return found


@pytest.fixture
def undisturbed(database_url: str, data: Path, tmp_path: Path) -> Any:
    """The state after a landing that nobody disturbed."""
    land(database_url, data, pan_key=KeyStore(tmp_path / "pan.key"), max_rejects=1.0)
    expected = state(database_url)
    with psycopg2.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA raw, ops CASCADE")
    connection.close()
    return expected


@pytest.mark.parametrize("large", [0, 10**9], ids=["own partition", "shared partition"])
def test_a_killed_loader_leaves_nothing_half_and_the_next_one_converges(
    database_url: str, data: Path, tmp_path: Path, undisturbed: Any, large: int
) -> None:
    pauses = random.Random(large)
    for kill in range(KILLS):
        process = child(database_url, data, tmp_path / "pan.key", large)
        time.sleep(pauses.uniform(0.0, 1.2))
        process.send_signal(signal.SIGINT if kill % 3 == 0 else signal.SIGKILL)
        process.wait(30)
    process = child(database_url, data, tmp_path / "pan.key", large)
    assert process.wait(120) == 0
    assert state(database_url) == undisturbed


def test_a_killed_server_loses_nothing_that_was_told_as_landed(
    data: Path, tmp_path: Path, database_url: str, undisturbed: Any
) -> None:
    server = new_server()
    pauses = random.Random(5)
    try:
        for _ in range(3):
            process = child(server.up(), data, tmp_path / "pan.key")
            time.sleep(pauses.uniform(0.1, 1.0))
            kill_server(server)
            process.wait(60)
        land(server.up(), data, pan_key=KeyStore(tmp_path / "pan.key"), max_rejects=1.0)
        assert state(server.up()) == undisturbed
        kill_server(server)
        assert state(server.up()) == undisturbed
    finally:
        server.down()


def test_a_full_disk_is_told_and_with_space_the_next_landing_converges(
    server: RunningServer, data: Path, tmp_path: Path, undisturbed: Any
) -> None:
    command = [sys.executable, "-m", "loaders", "load", "--data", str(data), "--max-rejects", "1"]
    with database_on_small_disk(server) as disk:
        home = {"REVOPS_HOME": str(tmp_path), "DB_CONNECTION_STRING": disk.url}

        def load() -> subprocess.CompletedProcess[str]:
            return subprocess.run(command, env={**os.environ, **home}, cwd=ROOT, capture_output=True, text=True)

        disk.leave(6 << 20)
        full = load()
        assert full.returncode == 4, full.stderr
        assert full.stderr.splitlines()[-2:] == [
            "the database's disk is full; nothing of this file has landed",
            "  Free space and load again.",
        ]
        landed = {name: read - rejected for name, _, read, rejected, _ in state(disk.url)["files"]}
        assert len(landed) < 3
        for relation, name in (("transactions", "transactions.csv"), ("fraud_labels", "labels.json")):
            assert state(disk.url)[relation][0][0] == landed.get(name, 0)
        disk.clear()
        assert load().returncode == 0
        assert state(disk.url) == undisturbed


def test_a_lost_connection_is_told_and_the_next_landing_converges(
    database_url: str, data: Path, tmp_path: Path, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = KeyStore(tmp_path / "pan.key")
    copy = postgres.copy_rows

    def cut_off(cur: Any, *arguments: Any, **options: Any) -> int:
        with psycopg2.connect(database_url) as other, other.cursor() as killer:
            killer.execute("SELECT pg_terminate_backend(%s)", (cur.connection.info.backend_pid,))
        other.close()
        return copy(cur, *arguments, **options)

    monkeypatch.setattr(postgres, "copy_rows", cut_off)
    with pytest.raises(DatabaseUnavailable, match="lost"):
        land(database_url, data, pan_key=keys, max_rejects=1.0)
    monkeypatch.undo()
    land(database_url, data, pan_key=keys, max_rejects=1.0)
    assert state(database_url) == undisturbed


def test_two_landings_at_once_land_once(database_url: str, data: Path, tmp_path: Path, undisturbed: Any) -> None:
    processes = [child(database_url, data, tmp_path / "pan.key") for _ in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    assert state(database_url) == undisturbed


def test_a_file_that_is_written_to_while_it_is_read_is_refused(
    database_url: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = csv_file(tmp_path / "data", "transactions.csv", [transaction(n) for n in range(100)])
    copy = postgres.copy_rows

    def meanwhile(*arguments: Any, **options: Any) -> int:
        with path.open("a") as out:
            out.write(transaction(100) + "\n")
        return copy(*arguments, **options)

    monkeypatch.setattr(postgres, "copy_rows", meanwhile)
    with pytest.raises(InputRefused, match="changed while"):
        land(database_url, tmp_path / "data")
    monkeypatch.undo()
    assert land(database_url, tmp_path / "data")[0].rows_loaded == 101


def test_a_reader_in_the_way_keeps_the_old_rows_and_is_told(
    database_url: str, query: Query, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_landing, "LARGE_FILE_BYTES", 0)
    monkeypatch.setattr(postgres, "_LOCK_ATTEMPTS", 2)
    csv_file(tmp_path / "data", "transactions.csv", [transaction(1)])
    land(database_url, tmp_path / "data")
    csv_file(tmp_path / "data", "transactions.csv", [transaction(1), transaction(2)])
    with psycopg2.connect(database_url) as reader, reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM raw.transactions")
        with pytest.raises(DatabaseUnavailable, match="kept reading raw"):
            land(database_url, tmp_path / "data")
        cursor.execute("SELECT count(*) FROM raw.transactions")
        assert cursor.fetchall() == [(1,)]
    reader.close()
    assert land(database_url, tmp_path / "data")[0].action == "replaced"
    assert_reconciled(query)


@pytest.mark.parametrize("large", [0, 10**9], ids=["own partition", "shared partition"])
def test_a_reader_sees_the_old_rows_or_the_new_ones_never_a_mix_never_none(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr(file_landing, "LARGE_FILE_BYTES", large)
    done = threading.Event()
    seen: set[tuple[Any, ...]] = set()
    failures: list[Exception] = []

    def version(number: int) -> None:
        rows = [transaction(n, amount=f"${number}.00") for n in range(2000 + number)]
        csv_file(tmp_path / "data", "transactions.csv", rows)
        land(database_url, tmp_path / "data")

    def poll() -> None:
        connection = psycopg2.connect(database_url)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                while not done.is_set():
                    cursor.execute("SELECT count(*), min(amount), max(amount) FROM raw.transactions")
                    seen.update(cursor.fetchall())
        except psycopg2.Error as error:
            failures.append(error)
        finally:
            connection.close()

    version(0)
    readers = [threading.Thread(target=poll) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for number in range(1, 9):
            version(number)
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert failures == []
    assert len(seen) > 1
    assert seen <= {(2000 + number, f"${number}.00", f"${number}.00") for number in range(9)}


def test_damaged_inputs_leave_even_books(database_url: str, query: Query, tmp_path: Path) -> None:
    """A folder of damaged files: each is refused or lands with its bad rows in the rejects, and the books are even."""
    folder = tmp_path / "data"
    good = [transaction(n) for n in range(2000)]
    csv_file(folder, "transactions_good.csv", good)
    csv_file(folder, "transactions_cr.csv", good[:5], end=b"\r")
    csv_file(folder, "transactions_header.csv", [])
    csv_file(folder, "transactions_excel.csv", [transaction(id="7.48E+06")] * 10)
    csv_file(folder, "transactions_columns.csv", good, header=HEADER + ",extra")
    csv_file(folder, "transactions_cut.csv", [*good, transaction()[:40]])
    csv_file(folder, "transactions_empty.csv", [], header="")
    (folder / "transactions_zero.csv").write_bytes(b"")
    (folder / "transactions_binary.csv").write_bytes(os.urandom(10_000))
    (folder / "labels_cut.json").write_bytes(b'{"target": {"1": "No", "2": ')
    with pytest.raises(InputRefused):
        land(database_url, folder)
    landed = {"cr": 5, "cut": 2000, "good": 2000}
    assert query("SELECT name, rows_loaded FROM ops.load_files ORDER BY 1") == [
        (f"transactions_{name}.csv", rows) for name, rows in landed.items()
    ]
    assert_reconciled(query)
