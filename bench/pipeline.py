"""Owns the measurement of the whole way, raw files to keyed, indexed and served: `revops run` beside a script by hand.

    python -m bench.pipeline [--scale 0.1 0.3 1] [--rounds 3]

All sides start from an empty database on the server that revops selects, in turn, with its settings and the same files:

- by hand: bench/by_hand.sql, written for speed and for these files alone. COPY in two streams into unlogged tables, every
  step on two connections, tables by CREATE TABLE AS on all cores, indexes afterwards, keys last, and then its sums compared.
  It checks no value, protects and quarantines nothing, and cannot be run twice.
- revops, same relations: `revops run` on a project of the same relations, with staging, quarantine and audits, and verified.
- revops, whole: `revops run` on the project as it is, with features, rules and reports, which the script does not make.

In the first round the rows that the sides serve are compared, all columns.
"""

from __future__ import annotations

import json
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import psycopg2

from bench import machine
from bench.load import generated
from bench.project import ROOT, copied
from bench.runs import fresh_url, revops_run, started
from foundation.queries import one_row

SCRIPT = Path(__file__).with_name("by_hand.sql")
CHUNK = 4 << 20
STEPS = ("raw", "tables, keys, indexes, view", "verified")
HAND, SAME, WHOLE = "by hand", "same relations", "whole"
SERVED = "SELECT count(*), sum(amount), sum(hashtextextended(t::text, 0)) FROM serving.enriched_transactions AS t"
_CSV = "WITH (FORMAT csv)"


class Chunks:
    """A file in chunks cut after a separator, for several COPYs at once: each takes the next, so that all keep its order."""

    def __init__(self, file: BinaryIO, separator: bytes = b"\n", as_csv: Callable[[bytes], bytes] = bytes) -> None:
        self._file = file
        self._separator = separator
        self._as_csv = as_csv
        self._rest = b""
        self._turn = threading.Lock()

    def read(self, _: int = 0) -> bytes:
        """The next chunk as CSV, empty at the end."""
        with self._turn:
            block = self._file.read(CHUNK)
            if not block:
                chunk, self._rest = self._rest, b""
            else:
                whole, separator, rest = (self._rest + block).rpartition(self._separator)
                chunk, self._rest = whole + separator, rest
        return self._as_csv(chunk)

    readline = read


def labels_as_csv(chunk: bytes) -> bytes:
    """`"1": "No", "2": "Yes", ` as lines."""
    return (
        chunk.replace(b'{"target": {', b"")
        .replace(b"}}", b"")
        .replace(b'": "', b",")
        .replace(b'", ', b"\n")
        .replace(b'"', b"")
    )


def by_hand(url: str, data: Path) -> dict[str, float]:
    """Runs the script; returns the seconds of each of its steps."""
    steps = dict(script())
    seconds: dict[str, float] = {}
    with ThreadPoolExecutor(2) as pool:

        def step(name: str, *lanes: Callable[[], None]) -> None:
            began = time.perf_counter()
            for lane in [pool.submit(lane) for lane in lanes]:
                lane.result()
            seconds[name] = time.perf_counter() - began

        with (
            (data / "transactions_data.csv").open("rb") as rows,
            (data / "train_fraud_labels.json").open("rb") as labels,
        ):
            rows.readline()
            streams = {
                "raw.transactions": Chunks(rows),
                "raw.fraud_labels": Chunks(labels, b'", ', labels_as_csv),
            }

            def stream() -> None:
                for table, chunks in streams.items():
                    copy(url, table, chunks)

            def small_files_and_stream() -> None:
                for table, path in (
                    ("users", data / "users_data.csv"),
                    ("cards", data / "cards_data.csv"),
                    ("us_states", ROOT / "seeds/us_states.csv"),
                ):
                    with path.open("rb") as file:
                        file.readline()
                        copy(url, f"raw.{table}", Chunks(file))
                codes = json.loads((data / "mcc_codes.json").read_text())
                statements(url, "INSERT INTO raw.mcc_codes SELECT * FROM json_each_text(%s)", json.dumps(codes))
                stream()

            step("prepare", lambda: statements(url, steps["prepare"]))
            step("copy", stream, small_files_and_stream)
        for name in ("tables", "outcomes", "indexes and view", "keys", "verify"):
            lanes = [text for heading, text in steps.items() if heading.partition(":")[0] == name]
            step(name, *(lambda text=text: statements(url, text) for text in lanes))
    return seconds


def script() -> Iterator[tuple[str, str]]:
    """The headings of the script and the statements below each."""
    _, *parts = re.split(r"^-- == (.*) ==$", SCRIPT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    yield from zip(parts[::2], parts[1::2], strict=True)


def statements(url: str, text: str, *values: object) -> None:
    """Runs statements on a separate connection, each in its own transaction."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in filter(str.strip, text.split(";\n")):
            cursor.execute(statement, values or None)


def copy(url: str, table: str, chunks: Chunks) -> None:
    """COPY on a separate connection."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {table} FROM STDIN {_CSV}", chunks, size=CHUNK)


def by_revops(url: str, data: Path, root: Path, home: Path) -> tuple[dict[str, float], dict[str, float]]:
    """`revops run`; returns the seconds of its steps, by its log lines, and those of the models that took a second or more."""
    run = revops_run(url, data, home, root)
    models: dict[str, float] = {}
    for _, line in run.lines:
        if found := re.match(r"(\w+\.\w+) in ([0-9.]+) s", line):
            models[found[1]] = models.get(found[1], 0) + float(found[2])
    passed = [run.passed("planning prod"), run.passed("built prod"), run.seconds]
    ends = zip(STEPS, passed, [0.0, *passed], strict=False)
    return {step: end - start for step, end, start in ends}, {m: s for m, s in models.items() if s >= 1}


def compare(dsn: str, scale: float, rounds: int, folder: Path, roots: Mapping[str, Path]) -> None:
    """Measures all sides at a scale and prints them."""
    data = generated(folder, scale).absolute()
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in (HAND, *roots)}
    details: dict[str, dict[str, float]] = {}
    served = set()
    for number in range(rounds):
        for side in runs:
            with fresh_url(dsn) as url, tempfile.TemporaryDirectory() as home:
                if side == HAND:
                    details[side] = by_hand(url, data)
                    raw = details[side]["prepare"] + details[side]["copy"]
                    verify = details[side]["verify"]
                    made = sum(details[side].values()) - raw - verify
                    runs[side].append(dict(zip(STEPS, (raw, made, verify), strict=True)))
                else:
                    steps, details[side] = by_revops(url, data, roots[side], Path(home))
                    runs[side].append(steps)
                if number == 0:
                    served.add(answer(url, SERVED))
    assert len(served) == 1, f"the sides serve other rows: {served}"
    print(f"\nscale {scale:g}: {next(iter(served))[0]:,} rows served; medians of {rounds}, seconds")
    print(f"{'':<30}{HAND:>10}" + "".join(f"{'revops, ' + side:>24}{'ratio':>8}" for side in roots))
    for step in (*STEPS, "all"):
        taken = {
            side: [sum(run.values()) if step == "all" else run[step] for run in each] for side, each in runs.items()
        }
        medians = {side: statistics.median(seconds) for side, seconds in taken.items()}
        hand = medians[HAND]
        shown = [
            f"{medians[side]:>24.2f}" + (f"{medians[side] / hand:>8.2f}" if hand else f"{'-':>8}") for side in roots
        ]
        of_hand = f"{hand:>10.2f}" if hand else f"{'-':>10}"
        print(f"{step:<30}{of_hand}{''.join(shown)}{machine.verdict(*taken.values())}")
    for side, seconds in details.items():
        print(f"  {side}, the last time: " + ", ".join(f"{name} {value:.1f}" for name, value in seconds.items()))


def answer(url: str, query: str) -> tuple[object, ...]:
    """The first row of a query's result."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        return one_row(cursor, query)


def main() -> None:
    """Measures at the scales given."""
    dsn, chosen = started(__doc__)
    for scale in chosen.scale:
        with tempfile.TemporaryDirectory() as temporary:
            projects = Path(temporary)
            roots = {SAME: copied(projects / "same", whole=False), WHOLE: copied(projects / "whole", whole=True)}
            compare(dsn, scale, chosen.rounds, chosen.folder, roots)


if __name__ == "__main__":
    main()
