"""Why there is no connection: the driver's text turned into one cause and its cure. Owns this wording; connects nowhere."""

from __future__ import annotations

import os
import re

from foundation.connection import CONNECTION

_SEE = f"Correct it in {CONNECTION}"
# The first that is found in the text is the cause; where a server speaks another language, its own words are shown.
_CAUSES: tuple[tuple[str, str, str], ...] = (
    (
        r"could not translate host name \"(?P<what>[^\"]*)\"",
        "no host {what} is known",
        f"{_SEE}, or look at the network's name service.",
    ),
    (
        r"password authentication failed for user \"(?P<what>[^\"]*)\"",
        "the password is wrong, or there is no user {what}",
        f"{_SEE}; special characters are percent-encoded there.",
    ),
    (
        r"no password supplied",
        "it wants a password, and none is given",
        f"Write it into {CONNECTION}: postgresql://user:password@host:port/database",
    ),
    (
        r"(role|user) \"(?P<what>[^\"]*)\" does not exist|no such user: (?P<also>\S+)",
        "there is no user {what}",
        f"{_SEE}, or make it: CREATE ROLE ... LOGIN PASSWORD '...';",
    ),
    (
        r"database \"(?P<what>[^\"]*)\" does not exist|no such database: (?P<also>\S+)",
        "there is no database {what} on this server",
        f"{_SEE}, or make it: CREATE DATABASE ...;",
    ),
    (
        r"database \"(?P<what>[^\"]*)\" is not currently accepting connections",
        "database {what} takes no connections",
        "Allow them: ALTER DATABASE ... ALLOW_CONNECTIONS true;",
    ),
    (
        r"permission denied for database \"?(?P<what>[^\"\n]*)\"?",
        "this user may not connect to database {what}",
        "Allow it: GRANT CONNECT ON DATABASE ... TO ...;",
    ),
    (
        r"no pg_hba.conf entry for .*no encryption|SSL required|SSL connection is required",
        "it takes encrypted connections only, or none from here",
        f"Add ?sslmode=require to {CONNECTION}, or allow this address in the server's pg_hba.conf.",
    ),
    (
        r"no pg_hba.conf entry|pg_hba.conf rejects",
        "it takes no connections of this user from this address",
        "Allow them in the server's pg_hba.conf.",
    ),
    (
        r"does not support SSL, but SSL was required",
        "it offers no SSL, and sslmode asks for it",
        f"Turn SSL on at the server, or take sslmode out of {CONNECTION}.",
    ),
    (
        r"root certificate file \"(?P<what>[^\"]*)\" does not exist",
        "the root certificate file {what} is not there",
        f"Put the certificate of the server's authority there, or name it by sslrootcert= in {CONNECTION}.",
    ),
    (
        r"certificate verify failed|server certificate for .* does not match|self.signed certificate",
        "its certificate is not one that sslmode and sslrootcert accept",
        f"Name the right authority by sslrootcert=, and the host as the certificate names it, in {CONNECTION}.",
    ),
    (
        r"(certificate file|private key file|could not load .*key|client certificate)",
        "the client's certificate or key cannot be used: {text}",
        f"Correct sslcert= and sslkey= in {CONNECTION}; the key's file must be mode 600.",
    ),
    (
        r"too many clients|remaining connection slots|too many connections for|no more connections allowed",
        "all its connections are taken",
        "End some (pg_stat_activity lists them), or raise the server's max_connections.",
    ),
    (
        r"the database system is (?P<what>[^\n]*)",
        "the database system is {what}",
        "Wait a moment, and run the same command again.",
    ),
    (
        r"unsupported startup parameter",
        "a pooler before it does not pass on an option: {text}",
        f"Take the option out of {CONNECTION}, or add it to pgbouncer's ignore_startup_parameters.",
    ),
    (
        r"query_wait_timeout|server login has been failing|pgbouncer cannot connect",
        "the pooler before it has no connection to give: {text}",
        "Raise its pool_size, or see in its log why it does not reach the server.",
    ),
    (
        r"server is in hot standby mode|session is read-only|server is not in hot standby mode|session is not read-only",
        "it is not of the kind that target_session_attrs asks for",
        f"{_SEE}: the warehouse needs a server that can be written to (read-write).",
    ),
    (
        r"Connection refused|No such file or directory|timeout expired|timed out|No route to host|is unreachable",
        "no server answers there ({text})",
        "Start it, or correct host and port in " + CONNECTION + ".",
    ),
)


def explain(text: str) -> tuple[str, str]:
    """The cause in a driver's error, and what to do about it, each on one line; {text} is what the server said."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = re.sub(r"^connection to server (at|on) .*? failed: ", "", lines[0]) if lines else "no reason given"
    said = re.sub(r"^(FATAL|ERROR): +", "", said)
    for pattern, cause, cure in _CAUSES:
        if found := re.search(pattern, text):
            names = found.groupdict()
            what = names.get("what") or names.get("also") or ""
            return cause.format(what=repr(what) if what else "", text=said), _for_embedded(cure)
    return said, _for_embedded("See what it says:  revops status")


def _for_embedded(cure: str) -> str:
    """The embedded server has no connection string to correct: a start puts it right."""
    if CONNECTION in cure and not os.environ.get(CONNECTION):
        return "The embedded server is started, and its password set, by:  revops down ; revops up"
    return cure
