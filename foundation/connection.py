"""What a connection string says: read by libpq's own parser, written as one URL, handed on to SQLMesh. Opens nothing."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
from collections.abc import Mapping
from urllib.parse import quote

from foundation.errors import UsageError

CONNECTION = "DB_CONNECTION_STRING"
EMBEDDED_URL = "REVOPS_EMBEDDED_URL"
NO_SERVER = "postgresql://nobody@no-server--run-revops-up-first:1/none"
FORM = "postgresql://user:password@host:port/database"
# What SQLMesh's connection takes, by libpq's name.
_TAKEN = {
    "host": "host",
    "port": "port",
    "user": "user",
    "password": "password",
    "dbname": "database",
    "sslmode": "sslmode",
    "connect_timeout": "connect_timeout",
    "keepalives_idle": "keepalives_idle",
}
# Its other options reach SQLMesh's libpq by the environment.
VARIABLES = {
    "channel_binding": "PGCHANNELBINDING",
    "client_encoding": "PGCLIENTENCODING",
    "gssdelegation": "PGGSSDELEGATION",
    "gssencmode": "PGGSSENCMODE",
    "gsslib": "PGGSSLIB",
    "hostaddr": "PGHOSTADDR",
    "krbsrvname": "PGKRBSRVNAME",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
    "options": "PGOPTIONS",
    "passfile": "PGPASSFILE",
    "require_auth": "PGREQUIREAUTH",
    "requirepeer": "PGREQUIREPEER",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "sslcert": "PGSSLCERT",
    "sslcertmode": "PGSSLCERTMODE",
    "sslcompression": "PGSSLCOMPRESSION",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
    "sslkey": "PGSSLKEY",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslrootcert": "PGSSLROOTCERT",
    "sslsni": "PGSSLSNI",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
# What to add to a refusal, by what libpq says of it.
_HINTS = {
    "URI query parameter": ": an option after the ? is none of libpq's",
    "invalid connection option": ": a key is none of libpq's",
    "percent-encoded": ": a % in it is not followed by two hexadecimal digits (% itself is written %25)",
    "unexpected character": ": percent-encode special characters of user and password (@ is %40, / is %2F)",
    "IPv6": ": an IPv6 address is written in brackets, [::1]",
}
# Each program names its own sessions.
_IGNORED = {"application_name", "fallback_application_name"}
# libpq's variables that would redirect a connection to the embedded server, or demand what it does not offer.
ELSEWHERE = ("PGHOSTADDR", "PGSERVICE", "PGOPTIONS", "PGSSLMODE", "PGREQUIRESSL", "PGGSSENCMODE", "PGREQUIREAUTH",
             "PGCHANNELBINDING", "PGTARGETSESSIONATTRS")  # fmt: skip


def normalized(text: str) -> str:
    """The connection string, a URL or `key=value` pairs, as a URL in which every special character is percent-encoded.

    Raises:
        UsageError: libpq cannot read it, or it has options that SQLMesh cannot be given; the message shows none of it.
    """
    options = parse(text)
    if "dbname" not in options:
        raise UsageError(f"{CONNECTION} must look like {FORM}: it names no database.")
    _addresses(options)
    passed = set(_TAKEN) | set(VARIABLES) | _IGNORED
    for name in sorted(set(options) - passed):
        raise UsageError(f"{CONNECTION} has the option {name}, which SQLMesh cannot be given.\n  Take it out.")
    _port(options, {})
    return as_url(options)


def parse(text: str) -> dict[str, str]:
    """What libpq reads in a connection string, by libpq's keywords.

    Raises:
        UsageError: libpq does not read it.
    """
    import psycopg2
    from psycopg2.extensions import parse_dsn

    text = text.strip()
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme.startswith("jdbc:"):
        raise UsageError(f"{CONNECTION} is a URL for JDBC.\n  Write it as {FORM}.")
    if re.fullmatch(r"postgres(ql)?\+\w+", scheme):
        raise UsageError(
            f"{CONNECTION} is a URL for SQLAlchemy ({scheme}://).\n  Take out the +{scheme.partition('+')[2]}: {FORM}"
        )
    try:
        found = {name: str(value) for name, value in parse_dsn(text).items()}
    except (psycopg2.ProgrammingError, UnicodeError) as error:  # its text may hold the password: not chained, not shown
        hint = next((hint for sign, hint in _HINTS.items() if sign in str(error)), "")
        raise UsageError(f"{CONNECTION} must look like {FORM}{hint}.") from None
    return {name: value for name, value in found.items() if value}


def as_url(options: Mapping[str, str]) -> str:
    """The URL in which libpq reads these options."""
    rest = dict(options)
    user, password = (quote(rest.pop(name, ""), safe="") for name in ("user", "password"))
    credentials = f"{user}:{password}@" if password else f"{user}@" if user else ""
    addresses = ",".join(
        (f"[{quote(host, safe=':')}]" if ":" in host else quote(host, safe="")) + (f":{port}" if port else "")
        for host, port in _addresses(rest)
    )
    database = quote(rest.pop("dbname", ""), safe="")
    query = "&".join(
        f"{name}={quote(value, safe='/')}" for name, value in sorted(rest.items()) if name not in ("host", "port")
    )
    return f"postgresql://{credentials}{addresses}/{database}" + (f"?{query}" if query else "")


def variables(url: str) -> dict[str, str]:
    """libpq's environment variables for the options that SQLMesh has no key for."""
    return {VARIABLES[name]: value for name, value in parse(url).items() if name in VARIABLES}


def for_sqlmesh() -> dict[str, str]:
    """The connection in config.yaml: SQLMesh's keys, and each value as YAML writes it.

    What SQLMesh has no key for is put into the process's environment, where libpq finds it: not into `os.environ`, which
    SQLMesh restores once it has read its configuration.

    Raises:
        ConfigError: SQLMesh's error, which its command line shows on one line.
    """
    try:
        url = normalized(os.environ.get(CONNECTION, "").strip() or os.environ.get(EMBEDDED_URL) or NO_SERVER)
        options = parse(url)
        for name, value in variables(url).items():
            if os.environ.get(name, value) != value:
                raise UsageError(f"{name} in the environment contradicts {CONNECTION}.\n  Unset it.")
            os.putenv(name, value)
        port = _port(options, os.environ)
    except UsageError as error:
        from sqlmesh.utils.errors import ConfigError

        raise ConfigError(str(error)) from None
    # SQLMesh requires these, and libpq's defaults apply only to what is not given.
    for name in ("host", "user", "password"):
        options.setdefault(name, os.environ.get(f"PG{name.upper()}", ""))
    options["user"] = options["user"] or getpass.getuser()
    found = {_TAKEN[name]: _yaml(value) for name, value in options.items() if name in _TAKEN}
    return found | {"port": str(port)}


def cache_folder(server: Mapping[str, str]) -> str:
    """The folder of SQLMesh's cache for the database of a connection, relative to the project.

    SQLMesh keeps snapshots in it by the fingerprint of a model, with the physical table that this database has for it. In
    another database the same model may have another table: after a non-breaking change, the one of the version before.
    One embedded server may follow another at the same address; its password, which is random, tells them apart.

    Args:
        server: the connection, as `for_sqlmesh` gives it.
    """
    is_embedded = not os.environ.get(CONNECTION, "").strip()
    told_apart_by = ("password", "database") if is_embedded else ("host", "port", "database")
    identity = "\n".join(server.get(name, "") for name in told_apart_by)
    return f".cache/{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def _addresses(options: Mapping[str, str]) -> list[tuple[str, str]]:
    """Hosts and their ports, as libpq pairs them.

    Raises:
        UsageError: a port is none.
    """
    hosts = options.get("host", "").split(",")
    ports = options.get("port", "").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    if len(hosts) != len(ports) or not all(port == "" or _is_port(port) for port in ports):
        raise UsageError(
            f"{CONNECTION} must look like {FORM}: its port is no number from 1 to 65535.\n"
            f"  Percent-encode special characters of the password (@ is %40, / is %2F, : is %3A)."
        )
    return list(zip(hosts, ports, strict=True))


def _port(options: Mapping[str, str], environ: Mapping[str, str]) -> int:
    """The one port for SQLMesh, which takes no second."""
    ports = {port or environ.get("PGPORT") or "5432" for _, port in _addresses(options)}
    if len(ports) > 1:
        raise UsageError(f"{CONNECTION} names several ports; SQLMesh takes one.\n  Give all its hosts the same port.")
    return int(ports.pop())


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


def _yaml(value: str) -> str:
    """A text quoted so that YAML reads it back unchanged."""
    plain = (c if c.isascii() and c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in value)
    return '"' + "".join(plain) + '"'
