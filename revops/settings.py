"""Which folders, which database and which options this run uses. Reads the environment and `.env`; starts nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from foundation import connection, private_files
from foundation.errors import UsageError
from revops import envfile

CONNECTION = connection.CONNECTION
EMBEDDED_URL = connection.EMBEDDED_URL
VERSIONS = (16, 18)  # of the embedded server
# Worker processes of SQLMesh outlive a killed SQLMesh, wait for ever, and keep its connections open, and so the lock. This
# project also loads faster without them.
NO_WORKERS = ("MAX_FORK_WORKERS", "1")
PACKAGE_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Settings:
    """What one run works with.

    Attributes:
        root: the project's folder (`config.yaml`, `models/`, ...).
        home: the folder of the embedded server, its password and the logs; `<root>/.warehouse` unless `REVOPS_HOME`.
        env_file: the `.env` that was read; `<root>/.env` unless `REVOPS_ENV_FILE`.
        connection_string: the external database asked for by `DB_CONNECTION_STRING`, or None for the embedded server.
        postgres_version: major version of the embedded server: `REVOPS_POSTGRES_VERSION`, else that of the data in `home`.
        port: the port asked for by `REVOPS_PORT`, or None for a stable one of our choice.
        variables: everything `.env` sets that the environment does not.
    """

    root: Path
    home: Path
    env_file: Path
    connection_string: str | None = field(default=None, repr=False)
    postgres_version: int = 18
    port: int | None = None
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def embedded(self) -> bool:
        """Whether the embedded server is the selected database."""
        return self.connection_string is None

    @property
    def logs(self) -> Path:
        """Where revops and SQLMesh write their logs."""
        return self.home / "logs"

    def child_environment(self, dsn: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment for SQLMesh, in this process or a child: it sees exactly the database at `dsn`.

        SQLMesh loads `<root>/.env` over the environment. `SQLMESH_DOTENV_PATH` points it at an empty file instead,
        because `.env` has been read here already and may name another server (`REVOPS_HOME` of a test, say).
        """
        result = {**self.variables, **(os.environ if environ is None else environ)}
        for name in (CONNECTION, EMBEDDED_URL, *(connection.ELSEWHERE if self.embedded else ())):
            result.pop(name, None)
        result[EMBEDDED_URL if self.embedded else CONNECTION] = dsn
        result |= connection.variables(dsn)
        result["SQLMESH_DOTENV_PATH"] = str(self.empty_dotenv())
        result.setdefault("SQLMESH__DISABLE_ANONYMIZED_ANALYTICS", "true")
        result.setdefault(*NO_WORKERS)
        return result

    def empty_dotenv(self) -> Path:
        """A file without variables, for `load_configs(dotenv_path=...)`; made when absent."""
        path = self.home / "empty.env"
        if not path.exists():
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            private_files.hand_over(path, self.home)
        return path


def load(environ: Mapping[str, str] | None = None, root: Path | None = None) -> Settings:
    """Reads the settings; the environment wins over `.env`.

    Raises:
        UsageError: a value is wrong, or `.env` and the environment name two different databases.
    """
    environ = os.environ if environ is None else environ
    root = Path(root or environ.get("REVOPS_ROOT") or PACKAGE_ROOT).expanduser().resolve()
    env_file = Path(environ.get("REVOPS_ENV_FILE") or root / ".env").expanduser().absolute()
    from_file = envfile.read(env_file)
    merged = {**from_file, **{name: value for name, value in environ.items() if value != ""}}
    home = Path(os.path.abspath(root / Path(merged.get("REVOPS_HOME") or ".warehouse").expanduser()))
    return Settings(
        root=root,
        home=home,
        env_file=env_file,
        connection_string=_connection_string(environ.get(CONNECTION), from_file.get(CONNECTION), env_file),
        postgres_version=_number(merged, "REVOPS_POSTGRES_VERSION", None, set(VERSIONS)) or _version_of(home),
        port=_number(merged, "REVOPS_PORT", None, range(1024, 65536)),
        variables={name: value for name, value in from_file.items() if not environ.get(name)},
    )


def versions(home: Path) -> list[int]:
    """The major versions of which a folder holds data, in order."""
    try:
        names = os.listdir(home)
    except OSError:  # not there yet, or not readable for us
        return []
    found = (name.removeprefix("postgres-") for name in names if name.startswith("postgres-"))
    return sorted(int(version) for version in found if version.isdigit())


def _version_of(home: Path) -> int:
    """The newest version whose data is in a folder, so that a warehouse of any version is found."""
    return max({*versions(home)} & {*VERSIONS}, default=VERSIONS[-1])


def _connection_string(in_environment: str | None, in_file: str | None, env_file: Path) -> str | None:
    named = [connection.normalized(text) for text in (in_environment, in_file) if text and text.strip()]
    if len(set(named)) > 1:
        raise UsageError(
            f"{CONNECTION} in the environment and in {env_file} name different databases.\n"
            f"  Plain `sqlmesh` would use the one in the file: unset one of the two."
        )
    return named[0] if named else None


def _number(values: Mapping[str, str], name: str, default: int | None, allowed: range | set[int]) -> int | None:
    text = values.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) not in allowed:
        limits = (
            f"{allowed[0]} to {allowed[-1]}" if isinstance(allowed, range) else " or ".join(map(str, sorted(allowed)))
        )
        raise UsageError(f"{name}={text!r}: must be {limits}.")
    return int(text)
