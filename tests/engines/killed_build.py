"""Runs `revops`, notes each statement sent to Spark, and kills the command with SIGKILL at one of them.

`KILL_AT` is `<when> <what> <n>`: `before`, `during` or `after` the n-th statement that begins with `what` (`_` for a blank), such
as `CREATE_OR_REPLACE`; or `within export n`, when half of the n-th file is written. Empty: nothing is killed.
`STATEMENTS` names the file to which the beginning of each statement is appended.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from itertools import count
from pathlib import Path
from typing import Any

from sqlmesh.engines.spark.db_api.spark_session import SparkSessionCursor

from revops import export
from revops.cli import main

WHEN, WHAT, NUMBER = (os.environ.get("KILL_AT") or "never nothing 0").split()
DURING_SECONDS = 0.02
_statements, _files = count(1), count(1)
_execute, _write_parquet = SparkSessionCursor.execute, export.write_parquet


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def execute(cursor: Any, query: str, *arguments: Any) -> None:
    bare = re.sub(r"/\*.*?\*/", "", query, flags=re.DOTALL).strip()
    with Path(os.environ["STATEMENTS"]).open("a") as log:
        log.write(" ".join(bare.split())[:200] + "\n")
    is_the_one = bare.startswith(WHAT.replace("_", " ")) and next(_statements) == int(NUMBER)
    if is_the_one and WHEN == "before":
        kill()
    if is_the_one and WHEN == "during":
        threading.Timer(DURING_SECONDS, kill).start()
    _execute(cursor, query, *arguments)
    if is_the_one:
        kill()


def write_parquet(cursor: Any, rows: Any, columns: Any, stream: Any) -> None:
    if WHAT == "export" and next(_files) == int(NUMBER):
        stream.write(b"PAR1 and no more")
        stream.flush()
        kill()
    _write_parquet(cursor, rows, columns, stream)


if __name__ == "__main__":
    SparkSessionCursor.execute = execute
    export.write_parquet = write_parquet
    sys.exit(main())
