"""Where log records go: plain lines on stderr, all into `.warehouse/logs/revops.log`, and no password in either."""

from __future__ import annotations

import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from foundation import private_files

FILE = "revops.log"
MAX_BYTES = 2 * 1024**2
LOGGERS = ("revops", "loaders", "meshkeys")


class Redacting(logging.Formatter):
    """Formats a record, traceback included, and then hides every password in the text."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's text without secrets."""
        from foundation.database import redact

        return redact(super().format(record), *secrets())


def secrets() -> list[str]:
    """The URLs with passwords that this process knows of."""
    return [url for name in ("DB_CONNECTION_STRING", "REVOPS_EMBEDDED_URL") if (url := os.environ.get(name))]


def configure(level: int) -> None:
    """Sends our own records at `level` and above to stderr; SQLMesh's go where SQLMesh sends them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(level)
    handler.setFormatter(Redacting("%(message)s"))
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        for old in list(logger.handlers):
            logger.removeHandler(old)
        logger.addHandler(handler)


def keep_in(folder: Path) -> None:
    """Writes our records to a file too, of mode 600 and bounded size; does without where the folder is not writable."""
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        for made in (folder, path):
            private_files.hand_over(made, folder.parent)
        handler = RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=3, encoding="utf-8", delay=True)
    except OSError:
        return
    handler.setLevel(logging.DEBUG)
    handler.setFormatter(Redacting("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    for name in LOGGERS:
        logging.getLogger(name).addHandler(handler)
