"""A reader in a process of its own: asks the same question until its input is closed, then prints what it saw as JSON."""

from __future__ import annotations

import json
import select
import sys
import time

import psycopg2


def main(url: str, query: str, pause: float, reconnects: bool) -> None:
    """Polls; the server itself ends a poll that waits for a lock for over half a second, however busy the machine is."""
    seen: set[str] = set()
    polls, longest, error = 0, 0.0, ""
    cursor = connected(url)
    while not (told_to_end(pause) and polls > 10):
        began = time.monotonic()
        try:
            cursor = cursor or connected(url)
            cursor.execute(query)
            seen.add(repr(cursor.fetchone()))
        except psycopg2.Error as failure:
            if reconnects and (cursor is None or cursor.connection.closed):
                cursor = None
                continue
            error = str(failure)
            break
        longest = max(longest, time.monotonic() - began)
        polls += 1
        if polls == 1:
            print("polling", flush=True)
    print(json.dumps({"polls": polls, "longest": longest, "error": error, "seen": sorted(seen)}))


def told_to_end(pause: float) -> bool:
    return bool(select.select([sys.stdin], [], [], pause)[0])


def connected(url: str) -> psycopg2.extensions.cursor | None:
    connection = psycopg2.connect(url, application_name="poller", options="-c lock_timeout=500ms")
    connection.autocommit = True
    return connection.cursor()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), bool(int(sys.argv[4])))
