"""The embedded server for other machines: a listener that speaks TLS with them and passes their bytes on to loopback.

The wheel's PostgreSQL is built without TLS, and listens on loopback only. What comes to the listener without TLS is closed
before it could say a name, and the owner's account is refused: other machines are for analysts' logins.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import UsageError
from revops import envfile
from revops.embedded.cluster import HOST, ROLE

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
MOST_CONNECTIONS = 40  # below the server's own limit of 60, so that its owner always gets in
START_SECONDS = 10  # in which a client has to say who it is
_LONGEST_START = 10_000  # PostgreSQL's own limit
_CHUNK = 1 << 16
_REQUEST = struct.Struct("!II")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listener:
    """Where to listen, and the port of the server on loopback."""

    host: str
    port: int
    server_port: int


def context(certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """What TLS needs.

    Raises:
        UsageError: a file is missing, the key can be read by others, or the two are no pair.
    """
    if certificate is None or key is None:
        raise UsageError(
            "Other machines get in by TLS only: a certificate and its key are needed.\n"
            "  Name them with --cert and --key; docs/remote_access.md has the command that makes a pair."
        )
    for path in (certificate, key):
        if not path.is_file():
            raise UsageError(f"There is no file {str(path)!r}.\n  Name it with --cert or --key.")
    if envfile.is_open(key):
        raise UsageError(f"{key} can be read by other users: it is not used.\n  chmod 600 {key}")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or type(error).__name__
        raise UsageError(
            f"{certificate} and {key} are no certificate with its key in PEM form: {reason}.\n"
            "  Name the two files with --cert and --key; the key must have no passphrase."
        ) from error
    return made


def serve(listener: Listener, tls: ssl.SSLContext) -> None:
    """Listens until it is interrupted or terminated."""
    asyncio.run(_serve(listener, tls))


async def _serve(listener: Listener, tls: ssl.SSLContext) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    family, _, _, _, address = socket.getaddrinfo(listener.host, listener.port, type=socket.SOCK_STREAM)[0]
    with socket.create_server(address[:2], family=family) as listening:
        listening.setblocking(False)
        accepting = loop.create_task(_accept(listening, listener, tls))
        await stopped.wait()
        accepting.cancel()
        with suppress(asyncio.CancelledError):
            await accepting


async def _accept(listening: socket.socket, listener: Listener, tls: ssl.SSLContext) -> None:
    loop = asyncio.get_running_loop()
    clients: set[asyncio.Task[None]] = set()
    while True:
        client, _ = await loop.sock_accept(listening)
        if len(clients) >= MOST_CONNECTIONS:
            client.close()
            continue
        task = loop.create_task(_handle(client, listener, tls))
        clients.add(task)
        task.add_done_callback(clients.discard)


async def _handle(client: socket.socket, listener: Listener, tls: ssl.SSLContext) -> None:
    """One client from its first byte to its last; what goes wrong with it ends it alone."""
    client.setblocking(False)
    try:
        reader, writer = await asyncio.wait_for(_encrypted(client, tls), START_SECONDS)
        try:
            start = await asyncio.wait_for(_start(reader), START_SECONDS)
            refusal = _refusal(start)
            if refusal:
                writer.write(refusal)
                await writer.drain()
            else:
                await _pass_on(start, reader, writer, listener.server_port)
        finally:
            writer.close()
            await asyncio.wait_for(writer.wait_closed(), START_SECONDS)  # what was written is still on its way
    except (OSError, EOFError, asyncio.TimeoutError, _Refused) as error:
        _log.debug("a client was refused or lost: %s", type(error).__name__)
    finally:
        client.close()


class _Refused(Exception):
    """The client does not ask for TLS, or does not speak as PostgreSQL's clients do."""


async def _encrypted(client: socket.socket, tls: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Both directions of the client, once it asked for TLS and got it.

    Nothing is read ahead: bytes sent in the clear behind the request are taken for a handshake, which they are not.
    """
    loop = asyncio.get_running_loop()
    while True:
        request = b""
        while len(request) < _REQUEST.size:
            more = await loop.sock_recv(client, _REQUEST.size - len(request))
            if not more:
                raise _Refused
            request += more
        length, code = _REQUEST.unpack(request)
        if (length, code) == (_REQUEST.size, GSS_REQUEST):
            await loop.sock_sendall(client, b"N")
            continue
        if (length, code) != (_REQUEST.size, SSL_REQUEST):
            await loop.sock_sendall(client, _error("no encryption: connect with sslmode=require or stronger"))
            raise _Refused
        break
    await loop.sock_sendall(client, b"S")
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol, client, ssl=tls, ssl_handshake_timeout=START_SECONDS
    )
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def _start(reader: asyncio.StreamReader) -> bytes:
    """The client's first message: who it is and which database it wants, or that a statement is to be cancelled."""
    head = await reader.readexactly(_REQUEST.size)
    length, _ = _REQUEST.unpack(head)
    if not _REQUEST.size <= length <= _LONGEST_START:
        raise _Refused
    return head + await reader.readexactly(length - _REQUEST.size)


def _refusal(start: bytes) -> bytes:
    """What to answer where the client may not go on; empty where it may."""
    if _REQUEST.unpack(start[: _REQUEST.size])[1] == CANCEL_REQUEST:
        return b""
    words = start[_REQUEST.size :].split(b"\0")
    named = dict(zip(words[::2], words[1::2], strict=False))
    if named.get(b"user") == ROLE.encode():
        return _error(f'"{ROLE}" owns the warehouse and logs in on its machine only: use a login of an analyst')
    return b""


def _error(text: str) -> bytes:
    """A fatal error as PostgreSQL says it: invalid authorization."""
    fields = b"".join(kind + said.encode() + b"\0" for kind, said in ((b"S", "FATAL"), (b"C", "28000"), (b"M", text)))
    return b"E" + struct.pack("!I", len(fields) + 5) + fields + b"\0"


async def _pass_on(start: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server_port: int) -> None:
    """Both directions between client and server until one of them ends."""
    from_server, to_server = await asyncio.open_connection(HOST, server_port)
    to_server.write(start)
    ways = [asyncio.ensure_future(_copy(reader, to_server)), asyncio.ensure_future(_copy(from_server, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        to_server.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while chunk := await source.read(_CHUNK):
        target.write(chunk)
        await target.drain()
