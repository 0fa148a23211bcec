"""Whether a program may listen on a port, and if not why. Asks the operating system; keeps no port open."""

from __future__ import annotations

import errno
import os
import socket

from foundation.errors import UsageError


def check(host: str, port: int) -> None:
    """Makes sure that a program can listen there.

    Raises:
        UsageError: it cannot; the message says why and what to do.
    """
    reason = refusal(host, port)
    if reason:
        raise UsageError(f"Cannot listen on {host}, port {port}: {reason}.\n  Choose another with --host and --port.")


def refusal(host: str, port: int) -> str:
    """Why the port cannot be listened on; empty where it can."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except socket.gaierror:
        return "no such host"
    except OSError as error:
        return "the port is taken" if error.errno == errno.EADDRINUSE else os.strerror(error.errno or 0).lower()
    with socket.socket(family, kind) as probe:  # macOS lets us bind beside a server that listens on all addresses
        probe.settimeout(1)
        return "the port is taken" if probe.connect_ex(address) == 0 else ""
