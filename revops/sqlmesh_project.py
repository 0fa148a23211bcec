"""The SQLMesh project, driven from Python: its context, and plans applied without questions."""

from __future__ import annotations

import gc
import logging
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import meshkeys
from foundation.errors import CheckFailed, DatabaseUnavailable
from meshkeys import sqlmesh_inside
from meshkeys.catalog import Relation
from revops.declared import SETTINGS
from revops.ledger import build_history
from revops.settings import NO_WORKERS
from revops.terminal import failures

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from sqlmesh import Context
    from sqlmesh.core.snapshot import Snapshot

    from revops.settings import Settings
    from revops.terminal.progress import Builds

# SQLMesh creates millions of long-lived objects: at Python's default thresholds, garbage collection takes a third of a plan's
# start-up. Rarer collections need no more memory.
OBJECTS_BETWEEN_COLLECTIONS = 100_000

_log = logging.getLogger(__name__)


def cli() -> None:
    """SQLMesh's own command line, as fast."""
    _hurry()
    from sqlmesh.cli.main import cli as commands

    commands(prog_name="sqlmesh")


def context(
    settings: Settings, with_tests: bool = False, with_models: bool = True, builds: Builds | None = None
) -> Context:
    """The project's context, on the selected database; says what it does in log lines.

    Args:
        settings: which project and database.
        with_tests: read the unit tests too.
        with_models: read the models; without them, only versions that a plan stored can be evaluated (`versions`), seconds
            earlier.
        builds: what evaluations are reported to; log lines where None.

    Raises:
        CheckFailed: a file of the project cannot be read; names it.
    """
    _hurry()
    os.environ.setdefault(*NO_WORKERS)
    # Warnings of libraries that are meant for SQLMesh's developers.
    warnings.filterwarnings("ignore", category=FutureWarning, module="sqlmesh")
    warnings.filterwarnings("ignore", category=UserWarning, module="sqlmesh")

    from sqlmesh import Context
    from sqlmesh.core.config import Config, load_configs
    from sqlmesh.core.console import set_console
    from sqlmesh.core.loader import SqlMeshLoader

    from revops.sqlmesh_console import LogConsole

    class WithoutTests(SqlMeshLoader):  # type: ignore[misc]  # SQLMesh is not typed
        """A build runs no unit test, and reading them all would be a third of its start-up."""

        def load_model_tests(self) -> list[Any]:
            return []

    set_console(LogConsole(builds))
    file = "config.yaml: "
    try:
        configs = load_configs(None, Config, [settings.root], dotenv_path=settings.empty_dotenv())
        file = ""
        for path, config in configs.items() if not with_tests else ():
            configs[path] = config.copy(update={"loader": WithoutTests})
        if not with_models:
            meshkeys.register(SETTINGS)  # as the project's macros do
        return Context(paths=[settings.root], config=configs, load=with_models)
    except Exception as error:  # of any kind: macros are imported, and YAML is read, on the way
        raise failures.known(error) or CheckFailed(
            f"The project cannot be read: {file}{failures.reason(error)}\n  Correct it and run the same command again."
        ) from error


def _hurry() -> None:
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    sqlmesh_inside.share_types_of_copies()
    sqlmesh_inside.compile_macros_once()
    sqlmesh_inside.parse_once()
    sqlmesh_inside.fill_tables_by_queries_as_written()


def environment_name(name: str) -> str:
    """The name under which SQLMesh keeps an environment: small letters, `_` for what is no letter, digit or `_`."""
    from sqlmesh.core.environment import Environment

    kept: str = Environment.sanitize_name(name)
    return kept


def versions(context: Context, environment: str) -> dict[str, Snapshot]:
    """The versions of models that an environment consists of, by name, as its last plan stored them."""
    stored = context.state_reader.get_environment(environment)
    assert stored is not None, "the environment was planned before"
    return {found.name: found for found in context.state_reader.get_snapshots(stored.snapshots).values()}


def apply(context: Context, environment: str) -> None:
    """Plans an environment, to bring it up to the project, and applies the plan.

    Raises:
        CheckFailed: a model failed, or an audit; the message has the model and the first line of what went wrong.
        DatabaseUnavailable: the database was lost, or could not go on.
    """
    with _explaining(environment, is_restatement=False):
        context.plan(environment, auto_apply=True, no_prompts=True, skip_tests=True)


@contextmanager
def _explaining(environment: str, is_restatement: bool) -> Iterator[None]:
    """Turns an error of SQLMesh into one that says which model failed, and why."""
    from sqlmesh.core.console import get_console

    console: Any = get_console()
    console.take_is_promoting()
    try:
        yield
    except Exception as error:  # a promotion passes on the driver's own errors
        failed = console.take_failures()
        known = failures.known(error)
        if known is not None:
            raise known from error
        for model, failure in failed:
            known = failures.known(failure)
            if isinstance(known, DatabaseUnavailable):
                raise DatabaseUnavailable(f"{model}: {known}") from error
            if known is not None:
                raise known from error
        details = [f"{model}: {failures.reason(failure)}" for model, failure in failed]
        details = details or console.take_violations() or [failures.reason(error)]
        left = failures.ROWS_LEFT if is_restatement else failures.NOTHING_LEFT
        if console.take_is_promoting():
            left = failures.VIEWS_LEFT
        raise failures.of_build(environment, details, left) from error


def evaluate(
    context: Context,
    environment: str,
    versions: Mapping[str, Snapshot],
    days: Mapping[str, Sequence[tuple[date, date]]],
    whole: Iterable[str],
) -> None:
    """Evaluates and audits tables of an environment again, parents first, as a run of SQLMesh's scheduler.

    Args:
        context: the project; the environment has been planned from it.
        environment: which.
        versions: of its models (`versions`).
        days: for each table of days, ranges from the first to the last day, both included.
        whole: the tables that are made whole.

    Raises:
        CheckFailed: a model failed, or an audit; the message has the model and the first line of what went wrong.
        DatabaseUnavailable: the database was lost, or could not go on.
    """
    from sqlmesh.core.snapshot import DeployabilityIndex
    from sqlmesh.core.snapshot.definition import merge_intervals
    from sqlmesh.utils.date import now, yesterday_ds

    scheduler = context.create_scheduler(versions.values(), context.snapshot_evaluator)
    stored = context.state_reader.get_environment(environment)
    assert stored is not None
    is_prod = environment == "prod"
    of_snapshots = DeployabilityIndex.all_deployable() if is_prod else DeployabilityIndex.create(scheduler.snapshots)
    snapshots = {str(Relation.of(s.name)): s for s in scheduler.snapshots.values()}
    yesterday = (yesterday_ds(), yesterday_ds())
    spans = {**days, **{model: [yesterday] for model in whole}}
    intervals = {
        snapshots[model]: merge_intervals(
            [snapshots[model].inclusive_exclusive(str(first), str(last), strict=False) for first, last in found]
        )
        for model, found in spans.items()
    }
    with _explaining(environment, is_restatement=True):
        errors, _ = scheduler.run_merged_intervals(
            merged_intervals=intervals,
            deployability_index=of_snapshots,
            environment_naming_info=stored.naming_info,
            execution_time=now(),
            run_environment_statements=True,
            is_restatement=True,
        )
        if errors:
            raise errors[0]


def note_evaluations(connection: Connection, environment: str) -> None:
    """Keeps how the audits of a build by SQLMesh went, and how long its models took: see `build_history.note`. Commits."""
    from sqlmesh.core.console import get_console

    console: Any = get_console()
    with connection.cursor() as cursor:
        build_history.note(cursor, environment, console.take_audited(), console.take_durations())
    connection.commit()
