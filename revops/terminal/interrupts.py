"""Ctrl-C ends the command within seconds, also while the database driver is blocked in a long statement."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

INTERRUPTED = 130
GRACE_SECONDS = 5.0


def watch(grace: float = GRACE_SECONDS) -> None:
    """From now on, a Ctrl-C that Python could not act upon within `grace` seconds ends the process with code 130.

    The server notices that its client is gone (`client_connection_check_interval`) and rolls the statement back.
    """
    receive, send = os.pipe()
    os.set_blocking(send, False)
    signal.set_wakeup_fd(send, warn_on_full_buffer=False)
    threading.Thread(target=_wait, args=(receive, grace), daemon=True, name="interrupts").start()


def _wait(receive: int, grace: float) -> None:
    while True:
        if signal.SIGINT in os.read(receive, 64):
            time.sleep(grace)
            sys.stderr.write("\nInterrupted.\n")
            sys.stderr.flush()
            os._exit(INTERRUPTED)
