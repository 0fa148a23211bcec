"""Files that BI tools import, written from the star of serving: Power BI, Superset and Cube. Asks no database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from foundation import connection, private_files
from foundation.errors import UsageError
from revops.bi import cube, powerbi, star, superset
from revops.bi.star import Star, Where
from revops.embedded import server
from revops.embedded.cluster import HOST

if TYPE_CHECKING:
    from revops.settings import Settings

FOLDER = Path("build/bi")
POSTGRES_PORT = 5432
TOOLS = {"powerbi": powerbi, "superset": superset, "cube": cube}


def write(settings: Settings, out: Path, where: Where) -> list[Path]:
    """Writes the files of each tool into a folder of its name; those of an earlier time are replaced.

    Args:
        settings: which project.
        out: the folder.
        where: the server as the BI tool reaches it.

    Returns:
        The files.

    Raises:
        CheckFailed: a file of the project cannot be read; names it.
        UsageError: a file cannot be written.
    """
    written = []
    for name, content in files(star.read(settings), where):
        path = out / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with private_files.replacing(path) as stream:
                stream.write(content)
            path.chmod(0o644)  # it holds neither rows nor a password
        except OSError as error:
            raise UsageError(
                f"Cannot write {str(path)!r}: {error.strerror}.\n  Name another folder with --out."
            ) from error
        written.append(path)
    return written


def reached(settings: Settings, host: str | None, port: int | None, login: str) -> Where:
    """The server as a BI tool reaches it: as given, else that of the selected database."""
    found = connection.parse(server.current(settings) or "")
    usual = (settings.port or server.DEFAULT_PORT) if settings.embedded else POSTGRES_PORT
    return Where(
        host or found.get("host", "").partition(",")[0] or HOST,
        port or int(found.get("port", "").partition(",")[0] or usual),
        found.get("dbname") or server.DATABASE,
        login,
    )


def files(of: Star, where: Where) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file; the same project gives the same bytes."""
    for tool, module in TOOLS.items():
        texts: Mapping[str, bytes] = module.files(of, where)
        for name, content in texts.items():
            yield f"{tool}/{name}", content
