"""Restores a backup (`revops/backup.py`) into an empty database, in one transaction, and puts its key where it belongs."""

from __future__ import annotations

import logging
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg2 import sql

from foundation import database, private_files
from foundation.errors import CheckFailed, RevopsError, UsageError
from foundation.queries import one_row, relations_exist, scalar
from loaders.protect import KEY_VARIABLE, KeyStore, Tokenizer
from meshkeys import change
from revops import backup
from revops.backup import Manifest
from revops.desk import decisions
from revops.embedded.cluster import last_line
from revops.roles import TRANSFORMER
from revops.terminal import summary

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from revops.settings import Settings

_IS_EMPTY = """
SELECT NOT EXISTS (SELECT FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public'))
   AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = to_regnamespace('public')
                   AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e'))
"""
# Those of the backup, and with them all environments and physical tables of the warehouse that makes way.
_TO_DROP = "SELECT nspname FROM pg_namespace WHERE split_part(nspname, '__', 1) = ANY (%s) ORDER BY 1"
_BEGIN = """
BEGIN;
SET LOCAL lock_timeout = '30s';
SET LOCAL synchronous_commit = off;
"""
_FUNCTION_OF_15 = "DROP FUNCTION IF EXISTS public.pg_input_is_valid(text, text);"

_log = logging.getLogger(__name__)


def restore(settings: Settings, dsn: str, folder: Path, found: Manifest, replace: bool = False) -> None:
    """Restores a backup; killed at any moment, it leaves the database as it was before.

    Args:
        settings: where the key goes.
        dsn: the database; the caller holds its lock.
        folder: the backup, which `backup.read` has found undamaged.
        found: what that returned.
        replace: drop what is in the database.

    Raises:
        UsageError: the database or the key there is another one, something is in the database, or the server is too old.
        CheckFailed: rows are missing afterwards.
        RevopsError: PostgreSQL refused it; says why, and nothing was changed.
    """
    with closing(database.connect(dsn, "revops restore", autocommit=True)) as connection, connection.cursor() as cursor:
        _check_database(cursor, found, replace)
        key = _key(settings, folder, found)
        _make_roles(cursor, found)
        if key is not None:
            private_files.write_private(settings.home / backup.KEY, key)
        began = time.monotonic()
        _log.info("restoring %s, of %s", found.database, found.made_at)
        cursor.execute(_TO_DROP, (list(found.schemas),))
        drops = [
            sql.SQL("DROP SCHEMA {} CASCADE;").format(sql.Identifier(schema)).as_string(cursor)
            for (schema,) in cursor.fetchall()
        ]
        # Of the warehouse that makes way, what people decided since the backup is kept.
        has_decisions = decisions.SCHEMA in found.schemas and relations_exist(cursor, decisions.TABLE)
        # Another account, or one that is no superuser, may not give away what it makes: put_back gives it to its owner.
        keeps_owners = bool(
            scalar(
                cursor, "SELECT rolsuper FROM pg_roles WHERE rolname = %s AND rolname = current_user", (found.account,)
            )
        )
        before = [decisions.SET_ASIDE, *drops] if has_decisions else drops
        _run(dsn, folder, found, before, decisions.PUT_BACK if has_decisions else "", keeps_owners)
        _log.info("analyzing what was restored in %.1f s", time.monotonic() - began)
        cursor.execute("ANALYZE")
        change.put_back(cursor)
        _check_rows(found, {str(row["relation"]): row["rows"] for row in summary.count_rows(cursor)})


def _check_database(cursor: Cursor, found: Manifest, replace: bool) -> None:
    name, is_empty = str(scalar(cursor, "SELECT current_database()")), scalar(cursor, _IS_EMPTY)
    if name != found.database:
        raise UsageError(
            f"The backup is of database {found.database}, whose name SQLMesh's state holds; this is {name}.\n"
            f"  Restore into a database named {found.database}."
        )
    server = cursor.connection.server_version // 10000
    if server < found.server:
        raise UsageError(
            f"The backup is of PostgreSQL {found.server}, and this server is {server}.\n"
            f"  Restore into a server of {found.server} or newer."
        )
    if not is_empty and not replace:
        raise UsageError(
            f"Database {name} is not empty.\n  Restore into an empty one, or add --replace to drop what is in it."
        )


def _key(settings: Settings, folder: Path, found: Manifest) -> str | None:
    """The key to put in place; None where there is nothing to do."""
    store = KeyStore(settings.home / backup.KEY)
    text = (folder / backup.KEY).read_text(encoding="ascii") if found.key_is_here else None
    if store.environ.get(KEY_VARIABLE) or store.path.exists():
        where = KEY_VARIABLE if store.environ.get(KEY_VARIABLE) else str(store.path)
        there = store.tokenizer(None)
        is_same = found.key_fingerprint is None and text is None
        if found.key_fingerprint is not None:
            is_same = there.made(found.key_fingerprint)
        elif text is not None:
            is_same = there.key == Tokenizer(text.strip().encode()).key
        if not is_same:
            cure = (
                "Unset it." if where == KEY_VARIABLE else "Move it away, and keep it: without it its tokens are lost."
            )
            raise UsageError(f"{where} holds another key than the one of this backup.\n  {cure}")
        return None
    if text is None and found.key_fingerprint is not None:
        raise UsageError(
            f"The key of the card tokens is not in this backup: it was in {KEY_VARIABLE}.\n  Set {KEY_VARIABLE} to it."
        )
    return text


def _make_roles(cursor: Cursor, found: Manifest) -> None:
    """Makes the roles that the dump refers to, where they are missing. Logins get no password: a backup holds none."""
    cursor.execute("SELECT rolname FROM pg_roles")
    there = {name for (name,) in cursor.fetchall()}
    missing = [role for role in found.roles if role.name not in there]
    statements: list[sql.Composed] = []
    for role in missing:
        kind = sql.SQL("LOGIN" if role.can_login else "NOLOGIN")
        statements.append(sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role.name), kind))
        for setting in role.settings:
            name, _, value = setting.partition("=")
            statements.append(
                sql.SQL("ALTER ROLE {} SET {} TO {}").format(
                    sql.Identifier(role.name), sql.Identifier(name), _setting(name, value)
                )
            )
    for role in missing:
        statements += [
            sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(role.name))
            for group in role.member_of
        ]
    account, may_create, is_superuser = one_row(
        cursor, "SELECT rolname, rolsuper OR rolcreaterole, rolsuper FROM pg_roles WHERE rolname = current_user"
    )
    if not is_superuser and TRANSFORMER in {role.name for role in missing}:  # to give it what it owns
        statements.append(sql.SQL("GRANT {} TO {}").format(sql.Identifier(TRANSFORMER), sql.Identifier(account)))
    if statements and not may_create:
        needed = "; ".join(statement.as_string(cursor) for statement in statements)
        raise UsageError(f"This account may not create roles. An administrator runs, once:\n  {needed};")
    for statement in statements:
        cursor.execute(statement)
    logins = [role.name for role in missing if role.can_login]
    if logins:
        _log.warning("these logins were made without a password, give them one: %s", ", ".join(logins))


def _setting(name: str, value: str) -> sql.Composable:
    """The value of a role's setting as ALTER ROLE takes it: search_path is a list of names."""
    if name != "search_path":
        return sql.Literal(value)
    return sql.SQL(", ").join(sql.Literal(part.strip().strip('"')) for part in value.split(","))


def _run(dsn: str, folder: Path, found: Manifest, before: list[str], after: str, keeps_owners: bool) -> None:
    """Lets psql run what pg_restore writes, and tells it to commit only once pg_restore has written all of it."""
    programs, _ = backup.programs_for(found.dumped_by)
    environment = backup.environment(dsn) | {"PGAPPNAME": "revops restore"}
    script = [str(programs / "pg_restore"), "--file=-", *([] if keeps_owners else ["--no-owner"])]
    psql = [str(programs / "psql"), "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"]
    begin = "\n".join([_BEGIN, *before, _FUNCTION_OF_15, ""])
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        client = subprocess.Popen(psql, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        assert client.stdin is not None
        try:
            client.stdin.write(begin.encode())
            client.stdin.flush()
            written = subprocess.run(
                [*script, str(folder / backup.DUMP)], stdout=client.stdin, stderr=said, check=False
            )
            if written.returncode == 0:
                client.stdin.write(f"{after}COMMIT;\n".encode())
            client.stdin.close()
        except BrokenPipeError:  # psql has ended, and said why
            written = None
        except BaseException:
            client.kill()
            raise
        finally:
            client.wait()
        said.seek(0)
        if client.returncode != 0 or written is None or written.returncode != 0:
            raise RevopsError(f"The database was not restored, and is as it was: {_why(said.read())}")


def _why(said: str) -> str:
    """The first error of PostgreSQL's programs."""
    lines = said.splitlines()
    first = next((line for line in lines if "ERROR:" in line or "error:" in line), "")
    return database.redact(first.strip()) or last_line(said)


def _check_rows(found: Manifest, rows: dict[str, object]) -> None:
    wrong = [name for name, expected in found.rows.items() if not _is_expected(name, rows.get(name), expected)]
    if wrong:
        raise CheckFailed(
            f"Rows differ from those of the backup in {', '.join(wrong[:3])}.\n  Restore again, and report this as a defect."
        )
    _log.info("%d relations have the rows that the backup noted", len(found.rows))


def _is_expected(name: str, rows: object, expected: int) -> bool:
    """Whether a relation has its rows; those that show decisions may have later ones too."""
    return rows == expected or (name in decisions.SHOWN_IN and isinstance(rows, int) and rows > expected)


__all__ = ["restore"]
