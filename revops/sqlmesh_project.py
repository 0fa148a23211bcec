"""The SQLMesh project, driven from Python: its context, and plans applied without questions."""

from __future__ import annotations

import gc
import logging
import warnings
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Any

from loaders.errors import CheckFailed
from revops import failures

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from sqlmesh import Context

    from revops.settings import Settings

# SQLMesh makes millions of small objects that nearly all stay: to look through them for garbage as often as Python does
# unless told is a third of the time that a plan takes to start. Now and then is enough, and no more memory.
OBJECTS_BETWEEN_COLLECTIONS = 100_000

_log = logging.getLogger(__name__)


def cli() -> None:
    """SQLMesh's own command line, started as fast."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    from sqlmesh.cli.main import cli as commands

    commands(prog_name="sqlmesh")


def context(settings: Settings, with_tests: bool = False) -> Context:
    """The project's context, on the selected database; says what it does in log lines."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    # Told to SQLMesh's developers by the libraries it uses; whoever builds can do nothing about it.
    warnings.filterwarnings("ignore", category=FutureWarning, module="sqlmesh")
    warnings.filterwarnings("ignore", category=UserWarning, module="sqlmesh")

    from sqlmesh import Context
    from sqlmesh.core.config import Config, load_configs
    from sqlmesh.core.console import set_console
    from sqlmesh.core.loader import SqlMeshLoader

    from revops.sqlmesh_console import LogConsole

    class WithoutTests(SqlMeshLoader):  # type: ignore[misc]  # SQLMesh is not typed
        """A build runs no unit test: to read them all would take a third of the time that it takes to start."""

        def load_model_tests(self) -> list[Any]:
            return []

    set_console(LogConsole())
    configs = load_configs(None, Config, [settings.root], dotenv_path=settings.empty_dotenv())
    for path, config in configs.items() if not with_tests else ():
        configs[path] = config.copy(update={"loader": WithoutTests})
    return Context(paths=[settings.root], config=configs)


def apply(
    context: Context,
    environment: str,
    restate: Iterable[str] = (),
    first: date | None = None,
    last: date | None = None,
) -> None:
    """Plans an environment and applies the plan.

    Args:
        context: the project.
        environment: which.
        restate: models to evaluate again, with all that read them; none to bring the environment up to the project.
        first: first day to restate.
        last: last day to restate.

    Raises:
        CheckFailed: a model failed, or an audit; the message has the model and the first line of what went wrong.
        DatabaseUnavailable: the database was lost, or could not go on.
    """
    from sqlmesh.core.console import get_console
    from sqlmesh.utils.errors import SQLMeshError

    console: Any = get_console()
    options: dict[str, Any] = {}
    if restate:
        options = {"restate_models": sorted(restate), "start": str(first), "end": str(last)}
    try:
        context.plan(environment, auto_apply=True, no_prompts=True, skip_tests=True, **options)
    except SQLMeshError as error:
        failed = console.take_failures()
        for each in (error, *(failure for _, failure in failed)):
            if (known := failures.known(each)) is not None:
                raise known from error
        details = [line for line, _ in failed] or [str(error).strip().splitlines()[0]]
        raise CheckFailed(
            f"Building {environment} failed: {'; '.join(details)}\n"
            "  What was served before is served still. Mend it, then: revops build"
        ) from error


def note_audits(connection: Connection, environment: str) -> None:
    """Keeps how the audits of a build went in ops.audit_history. Commits."""
    from sqlmesh.core.console import get_console

    console: Any = get_console()
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.audit_history (environment, model, audits_passed, audits_failed) VALUES (%s, %s, %s, %s)",
            [(environment, *audited) for audited in console.take_audited()],
        )
    connection.commit()
