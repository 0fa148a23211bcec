"""The command line: options in, one call out, exit code. Owns no work; imports what a command needs inside it.

The functions behind the commands import slow things (SQLMesh, pandas) themselves, so that `revops load` starts fast.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from foundation.errors import CheckFailed, DatabaseUnavailable, RevopsError, UsageError
from revops.terminal.commands import ByTask
from revops.terminal.interrupts import INTERRUPTED

if TYPE_CHECKING:
    from revops.settings import Settings

SQLMESH = (sys.executable, "-c", "from revops.sqlmesh_project import cli; cli()")
PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}

data_option = click.option(
    "--data", type=click.Path(path_type=Path), help="Folder, file or quoted glob of the raw files [data/raw]."
)
partial_option = click.option("--partial", is_flag=True, help="Relations are missing, and are meant to be.")
replace_option = click.option(
    "--replace", is_flag=True, help="Let a file replace rows of its name with which it has no id in common."
)
rehash_option = click.option(
    "--rehash", is_flag=True, help="Read every file, also those whose size and times have not changed."
)
wait_option = click.option(
    "--wait", type=click.FloatRange(min=0), default=0, metavar="SECONDS", help="Wait while another run holds the lock."
)
only_option = click.option(
    "--only", multiple=True, metavar="NAME", help="Only this relation, such as users; may be repeated."
)
rejects_option = click.option(
    "--max-rejects",
    type=click.FloatRange(0, 1),
    default=0.001,
    show_default=True,
    metavar="SHARE",
    help="Refuse a file of which more than this share of the rows is bad.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
scale_option = click.option(
    "--scale", type=click.FloatRange(min=0, min_open=True), envvar="SCALE", help="Size; 1 is the published data set."
)
seed_option = click.option("--seed", type=int, show_default="42", help="Same seed, same bytes.")


@click.group(
    cls=ByTask,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [OPTIONS]",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--debug", is_flag=True, envvar="REVOPS_DEBUG", help="Show tracebacks and debug messages.")
@click.option("-q", "--quiet", is_flag=True, help="Only warnings and errors.")
@click.option("-v", "--verbose", is_flag=True, help="More messages.")
@click.version_option(package_name="revops-warehouse", prog_name="revops")
@click.pass_context
def cli(ctx: click.Context, debug: bool, quiet: bool, verbose: bool) -> None:
    """A card-transactions warehouse on PostgreSQL: from raw files to verified tables.

    Without a command, on a terminal: a menu. Each command has an example: revops COMMAND --help
    """
    from revops.terminal import logs

    logs.configure(logging.DEBUG if debug or verbose else logging.WARNING if quiet else logging.INFO)
    ctx.obj = {"debug": debug, "quiet": quiet}
    if ctx.invoked_subcommand is not None:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(ctx.get_help(), err=True)
        ctx.exit(UsageError.exit_code)
    from revops.terminal import menu

    ctx.exit(menu.run())


@cli.command()
@data_option
@click.option("--demo", is_flag=True, help="Put a synthetic demo set in the place of all that has landed.")
@scale_option
@seed_option
@partial_option
@replace_option
@rejects_option
@rehash_option
@wait_option
@click.pass_context
def run(ctx: click.Context, /, wait: float, data: Path | None, **options: Any) -> None:
    """End to end: server, load, build, keys, indexes, materialized view, reconciliation.

    Where there are no files and nothing has landed yet, a synthetic demo set is generated (scale 0.05). One that has landed
    keeps its size until another --scale is asked for.
    """
    from revops import run as whole

    settings, dsn = _start()
    with _locked(dsn, "run", wait):
        click.echo(whole.run(settings, dsn, whole.Wanted(_folder(data), **options), quiet=ctx.obj["quiet"]))


@cli.command()
@data_option
@only_option
@click.option("--prune", is_flag=True, help="Take out the rows of files that are gone from the folder.")
@partial_option
@replace_option
@rejects_option
@rehash_option
@wait_option
@click.pass_context
def load(
    ctx: click.Context, /, data: Path | None, only: Sequence[str], prune: bool, wait: float, **options: Any
) -> None:
    """Land raw files in the schema raw; files landed before and unchanged cost nothing."""
    from revops import demo_set
    from revops import run as whole

    settings, dsn = _start()
    folder = _folder(data) or settings.root / whole.RAW
    with _locked(dsn, "load", wait):
        if not prune and demo_set.is_synthetic(dsn):
            logging.getLogger(__name__).warning("These files land beside synthetic demo rows; --prune takes those out.")
        whole.land(settings, dsn, folder, only=only, prune=prune, quiet=ctx.obj["quiet"], **options)
        if prune and not only:
            demo_set.unmark(dsn)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@wait_option
@click.pass_context
def replay(ctx: click.Context, file: Path, wait: float) -> None:
    """Land corrected rejects: a CSV with _file, _line_number and then the published columns.

    Each row takes the place of its reject in ops.rejected_rows; the next build takes it in. A second run changes nothing.
    """
    from revops import run as whole

    settings, dsn = _start()
    with _locked(dsn, "replay", wait):
        whole.replay(settings, dsn, file.absolute(), quiet=ctx.obj["quiet"])


@cli.command("rotate-key")
@data_option
@rejects_option
@wait_option
@click.pass_context
def rotate_key(ctx: click.Context, data: Path | None, max_rejects: float, wait: float) -> None:
    """Give every card a new token under a new key, from the files the cards came from; all of them must be there.

    The new key is REVOPS_PAN_KEY, else one is made and takes the place of the key file. Then: revops build.
    """
    from revops import run as whole

    settings, dsn = _start()
    folder = _folder(data) or settings.root / whole.RAW
    with _locked(dsn, "rotate-key", wait):
        whole.rotate_key(settings, dsn, folder, max_rejects, quiet=ctx.obj["quiet"])


@cli.command()
@click.option("--environment", default="prod", show_default=True, metavar="NAME", help="SQLMesh environment.")
@wait_option
@click.pass_context
def build(ctx: click.Context, environment: str, wait: float) -> None:
    """Transform what has landed, and only what that touches; with REVOPS_ENGINE=spark, on Spark."""
    from revops.engines import settings as engines

    settings, dsn = _start()
    name = ("revops.engines.build", "build_on_spark") if engines.is_spark() else ("revops.build", "build")
    with _locked(dsn, "build", wait):
        _function(*name)(settings, environment.lower(), ctx.obj["quiet"])  # as SQLMesh reads it


@cli.command()
@click.option("--month", type=click.DateTime(["%Y-%m"]), metavar="MONTH", help="This month alone, such as 2019-10.")
@click.option("--since", type=click.DateTime(["%Y-%m"]), metavar="MONTH", help="First month. [the first that can be]")
@click.option(
    "--until", type=click.DateTime(["%Y-%m"]), metavar="MONTH", help="Last month. [the one after the last day]"
)
@click.option("--window", type=click.IntRange(1), metavar="MONTHS", default=24, show_default=True,
              help="Train a month on so many before it.")  # fmt: skip
@click.option("--min-frauds", type=click.IntRange(2), metavar="N", default=50, show_default=True,
              help="Least labelled frauds in these; months with fewer get no scorecard.")  # fmt: skip
@wait_option
def train(
    month: datetime | None, since: datetime | None, until: datetime | None, window: int, min_frauds: int, wait: float
) -> None:
    """Train a scorecard for each month, on features and labels before it alone. The next build scores the months.

    Needs scikit-learn: make .venv/score. The same rows give the same scorecard, and write nothing.
    """
    from revops.scoring import train as training

    if month is not None and (since is not None or until is not None):
        raise UsageError("--month is one month: leave out --since and --until.")
    first, last = (each.date() if each is not None else None for each in (month or since, month or until))
    if first is not None and last is not None and first > last:
        raise UsageError(f"--since {first:%Y-%m} is after --until {last:%Y-%m}.")
    training.check_installed()
    _, dsn = _start()
    with _locked(dsn, "train", wait):
        for trained in training.train(dsn, training.Wanted(first, last, window, min_frauds)):
            if (line := training.told(trained)) is not None:
                click.echo(line)


@cli.command()
@click.option("--mode", type=click.Choice(["concurrently", "swap", "auto"]), default="auto", show_default=True)
@wait_option
def refresh(mode: str, wait: float) -> None:
    """Refresh serving.enriched_transactions while it is being read."""
    settings, dsn = _start()
    with _locked(dsn, "refresh", wait):
        _function("revops.refresh", "refresh")(settings, mode)


@cli.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@wait_option
def keys(dry_run: bool, wait: float) -> None:
    """Bring prod's keys and indexes to what its models declare, while they are read."""
    from contextlib import nullcontext

    settings, dsn = _start()
    with nullcontext() if dry_run else _locked(dsn, "keys", wait):
        operations = _function("revops.keys", "keys")(settings, dry_run)
    for operation in operations:
        click.echo(str(operation))
    if not operations:
        click.echo("Keys and indexes are as declared.")


@cli.command()
@click.argument("relation", required=False)
@click.option("--list", "list_only", is_flag=True, help="List the relations, their keys and day columns.")
@click.option(
    "--out", type=click.Path(dir_okay=False, allow_dash=True), metavar="FILE", help="File; - for standard output."
)
@click.option("--format", "file_format", type=click.Choice(["csv", "parquet"]), help="[by the file's ending, else csv]")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="First day, such as 2019-01-31.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Last day, included.")
@click.option("--columns", metavar="A,B", help="These columns, in this order.")
@click.option("--order-by", metavar="A,-B", help="Order of rows; - for descending. [the relation's key]")
def export(
    relation: str | None,
    list_only: bool,
    out: str | None,
    file_format: str | None,
    since: datetime | None,
    until: datetime | None,
    columns: str | None,
    order_by: str | None,
) -> None:
    """Write a relation of serving to a file, CSV or Parquet.

    Text that a spreadsheet would run as a formula is written as text.
    """
    from revops import export as exporting
    from revops.terminal import display

    if not list_only and (relation is None or out is None):
        raise UsageError("A relation and --out FILE are needed.\n  revops export --list shows the relations.")
    if out is not None:
        exporting.format_of(out, file_format)
    _, dsn = _start()
    if list_only or relation is None or out is None:
        click.echo("\n".join(display.table(exporting.listed(dsn))))
        return
    first, last = (day.date() if day is not None else None for day in (since, until))
    selection = exporting.Selection(first, last, _names(columns), _names(order_by))
    rows = exporting.export(dsn, relation, out, file_format, selection)
    target = "standard output" if out == "-" else out
    logging.getLogger(__name__).info("%s: %d rows written to %s", relation, rows, target)


@cli.command("export-raw")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Folder; what has not changed is kept."
)
@wait_option
def export_raw(out: Path, wait: float) -> None:
    """Write what has landed as Parquet, for another engine: one file for each that landed.

    The folder holds personal data, as raw does; card numbers and CVVs are in neither.
    """
    from contextlib import closing

    from foundation import database
    from revops.engines import raw_export

    _, dsn = _start()
    with _locked(dsn, "export-raw", wait), closing(database.connect(dsn, "revops export-raw")) as connection:
        found = raw_export.export_raw(connection, out.expanduser().absolute())
    click.echo(f"raw is in {out}: {found.written} files written, {found.kept} kept.")


@cli.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="New folder for the backup.")
@wait_option
def backup(out: Path, wait: float) -> None:
    """Back up the database, SQLMesh's state and the card key together.

    The folder is readable by its owner only, and appears once it is complete. Keep it as safe as the key itself.
    """
    from revops import backup as backups

    settings, dsn = _start()
    began = time.monotonic()
    with _locked(dsn, "backup", wait):
        found = backups.backup(settings, dsn, out.expanduser().absolute())
    seconds = time.monotonic() - began
    size = backups.size(out.expanduser()) / 1e6
    click.echo(f"Database {found.database} is backed up in {out}: {size:,.1f} MB in {seconds:.1f} s.")
    if found.key_fingerprint is not None and not found.key_is_here:
        click.echo("The card key is not in it: it is in REVOPS_PAN_KEY. Keep a copy of it elsewhere.")


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Drop the warehouse that is there.")
@wait_option
def restore(folder: Path, replace: bool, wait: float) -> None:
    """Restore a backup into an empty database, its card key included.

    The files are checked first; the database is restored in one transaction. Afterwards: revops verify.
    """
    from revops import backup as backups
    from revops import restore as restoring

    found = backups.read(folder)
    settings, dsn = _start()
    with _locked(dsn, "restore", wait):
        restoring.restore(settings, dsn, folder, found, replace)
    click.echo(f"Database {found.database} is restored from {folder}. Next: revops verify")


@cli.command()
@json_option
@click.option(
    "--full/--since-last",
    default=True,
    help="All of history [default], or the days evaluated since all was found right and a thirtieth of the others in turn.",
)
def verify(as_json: bool, full: bool) -> None:
    """Check the warehouse's invariants, one line each; exit 1 if one fails.

    --full sums all that landed and all that is served, and looks in every layer for rows that were written to since they were
    built; these are compared with what their model makes of the layers above. Up to 250,000 transactions all rows are compared,
    of more also a stretch of days that changes each time.

    --since-last, which `revops run` does, compares the days that were evaluated since all was last found right, and looks at a
    thirtieth of the other days: after 30 runs at all of them. `revops status` shows when each was last done.
    """
    settings, _ = _start()
    results = _function("revops.verify", "verify_and_note")(settings, since_last=not full)
    _print_results(results, as_json)
    failed = [result.name for result in results if not result.passed]
    if failed:
        raise CheckFailed(f"{len(failed)} of {len(results)} checks failed: {', '.join(failed)}")


@cli.command()
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show server, environments, last loads, last refresh, freshness and rows per table.

    Nothing is counted: rows are as they were noted, or of PostgreSQL's statistics. Exit code 4 where the server is down.
    """
    from revops import settings
    from revops.terminal import display

    found = _function("revops.status", "status")(_chosen(settings.load()))
    click.echo(display.as_json(found) if as_json else display.as_text(found))
    if not found["server"]["running"]:
        ctx.exit(DatabaseUnavailable.exit_code)


@cli.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write into.")
@scale_option
@seed_option
def generate(out: Path, scale: float | None, seed: int | None) -> None:
    """Write a synthetic set of files in the published format."""
    from revops import demo_set

    scale, seed = scale or demo_set.SCALE, demo_set.SEED if seed is None else seed
    demo_set.generate_files(out, demo_set.Size(scale, seed))
    click.echo(f"Synthetic files (scale {scale:g}, seed {seed}) are in {out}")


@cli.command()
def up() -> None:
    """Start the embedded PostgreSQL server, unless it runs."""
    from foundation.database import without_password
    from revops.terminal import display

    settings, dsn = _start()
    if settings.embedded:
        click.echo(f"The embedded server is up: {without_password(dsn)}\nConnect with:  {display.program()} psql")
    else:
        click.echo(f"Using {without_password(dsn)} (DB_CONNECTION_STRING); the embedded server is not needed.")


@cli.command()
def down() -> None:
    """Stop the embedded PostgreSQL server."""
    from revops import settings
    from revops.embedded import server

    click.echo("Stopped." if server.down(_logged(settings.load())) else "The embedded server was not running.")


@cli.command()
def url() -> None:
    """Print the database's URL, password included, for psql, psycopg and BI tools."""
    click.echo(_start(check=False)[1])


@cli.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: Sequence[str]) -> None:
    """Open psql on the warehouse; arguments are passed on."""
    from revops import psql as client
    from revops import settings as reader

    if any(argument.startswith(("--help", "--version")) or argument in ("-?", "-V") for argument in arguments):
        _execute(*client.command(reader.load(), None, arguments))
    settings, dsn = _start(check=False)
    _execute(*client.command(settings, dsn, arguments))


@cli.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sqlmesh(arguments: Sequence[str]) -> None:
    """Run SQLMesh on the warehouse; arguments are passed on."""
    if not arguments or {"--help", "--version"} & set(arguments):
        _execute([*SQLMESH, *(arguments or ["--help"])], dict(os.environ))
    settings, dsn = _start()
    _execute(_sqlmesh(settings, arguments), settings.child_environment(dsn))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
def ui(host: str, port: int) -> None:
    """Open SQLMesh's user interface in a browser: lineage, models, plans."""
    from revops.embedded import ports

    ports.check(host, port)
    settings, dsn = _start()
    click.echo(f"SQLMesh UI: http://{host}:{port}  (Ctrl-C ends it)")
    _execute(_sqlmesh(settings, ["ui", "--host", host, "--port", str(port)]), settings.child_environment(dsn))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8501, show_default=True, type=click.IntRange(1, 65535))
def dashboard(host: str, port: int) -> None:
    """Open the analysts' dashboard in a browser: revenue, declines, fraud, alerts; reads serving only.

    It has no login: anyone who reaches the port can read what an analyst reads.
    """
    from revops.dashboard import serve
    from revops.embedded import ports

    ports.check(host, port)
    settings, dsn = _start()
    if host not in serve.LOOPBACK:
        logging.getLogger(__name__).warning(
            "There is no login: anyone who reaches %s can read what an analyst reads.", host
        )
    click.echo(f"Dashboard: http://{host}:{port}  (Ctrl-C ends it)")
    _execute(serve.command(host, port), serve.environment(settings.child_environment(dsn)))


@cli.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="[build/docs.html]")
@click.option("--offline", is_flag=True, help="Ask no database: the same project gives the same bytes.")
def docs(out: Path | None, offline: bool) -> None:
    """Write one page with every relation and column: meaning, lineage, keys, audits, tests.

    It needs no server and no network. A database that runs adds rows, last build and last audits.
    """
    from revops import docs as documentation
    from revops import settings as reader

    settings = _chosen(reader.load())
    path = out.expanduser().absolute() if out is not None else settings.root / documentation.FILE
    asked = documentation.write(settings, path, with_database=not offline)
    click.echo(f"{path}" + ("" if asked or offline else "  (without a database: no rows, builds and audit results)"))


@cli.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", help="[build/bi]")
@click.option("--host", help="The server as the BI tool reaches it [that of the selected database].")
@click.option("--port", type=click.IntRange(1, 65535), help="Its port, or that of a tunnel to it.")
@click.option("--login", default="analyst", show_default=True, help="The analyst's login; no password is written.")
def bi(out: Path | None, host: str | None, port: int | None, login: str) -> None:
    """Write files that BI tools import: Power BI, Superset and Cube.

    They hold the tables, relationships and measures of the star in serving, made from the models. See docs/bi.md.
    """
    from revops import bi as tools
    from revops import settings as reader

    settings = _chosen(reader.load())
    folder = out.expanduser().absolute() if out is not None else settings.root / tools.FOLDER
    written = tools.write(settings, folder, tools.reached(settings, host, port, login))
    click.echo(f"{folder}: {len(written)} files for {', '.join(tools.TOOLS)}")


@cli.command()
@click.option("--host", metavar="ADDRESS", help="Address of this machine, 0.0.0.0 for all [REVOPS_LISTEN].")
@click.option("--port", default=54330, show_default=True, type=click.IntRange(1, 65535))
@click.option("--cert", type=click.Path(path_type=Path), help="Certificate, PEM [REVOPS_TLS_CERT].")
@click.option("--key", type=click.Path(path_type=Path), help="Its private key, PEM [REVOPS_TLS_KEY].")
def remote(host: str | None, port: int, cert: Path | None, key: Path | None) -> None:
    """Let other machines reach the embedded server, by TLS and with analysts' logins only.

    Runs until Ctrl-C. What does not ask for TLS is refused, and so is the account that owns the warehouse.
    """
    from foundation import connection
    from revops import remote as other_machines
    from revops import settings as reader
    from revops.embedded import ports

    settings = reader.load()
    if not settings.embedded:
        raise UsageError(f"The server of {connection.CONNECTION} listens by itself: connect to its own address.")
    values = {**settings.variables, **os.environ}
    host = host or values.get("REVOPS_LISTEN")
    if not host:
        raise UsageError("Nothing listens for other machines unless an address is named: --host 0.0.0.0 for all.")
    files = (cert or values.get("REVOPS_TLS_CERT"), key or values.get("REVOPS_TLS_KEY"))
    tls = other_machines.context(*(Path(file).expanduser() if file else None for file in files))
    ports.check(host, port)
    _, dsn = _start()
    click.echo(f"Listening on {host}, port {port}, by TLS only  (Ctrl-C ends it)")
    other_machines.serve(other_machines.Listener(host, port, int(connection.parse(dsn)["port"])), tls)


@cli.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check this machine and server for problems; exit 1 if there are any."""
    from revops import doctor as checks
    from revops import settings

    results = checks.doctor(_chosen(settings.load()))
    _print_results(results, as_json)
    if not all(result.passed for result in results):
        raise CheckFailed("Some checks failed; each line above says what to do.")


def main() -> None:
    """Runs the command line and exits with the contract's code."""
    from revops.terminal import interrupts

    interrupts.watch()
    sys.exit(call(sys.argv[1:]))


def call(arguments: Sequence[str]) -> int:
    """Runs one command; returns the exit code. Errors are one or two lines on stderr, tracebacks with --debug only."""
    try:
        result = cli.main(list(arguments), prog_name="revops", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as ended:
        return int(ended.exit_code)
    except click.ClickException as error:
        error.show()
        return int(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:  # `revops status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:  # noqa: BLE001 - the one place where an error becomes an exit code
        from revops.terminal import failures

        return failures.report(error, debug="--debug" in arguments or bool(os.environ.get("REVOPS_DEBUG")))


def _logged(settings: Settings) -> Settings:
    from revops.terminal import logs

    if settings.home.is_dir():
        logs.keep_in(settings.logs)
    return settings


def _chosen(settings: Settings) -> Settings:
    """Settings, with SQLMesh in this process pointed away from `.env`, which has been read."""
    os.environ.update({name: value for name, value in settings.variables.items() if not os.environ.get(name)})
    return _logged(settings)


def _start(check: bool = True) -> tuple[Settings, str]:
    """The settings and the URL of the selected database, started if it is the embedded one and then seen by SQLMesh.

    Raises:
        DatabaseUnavailable: with `check`: it cannot be reached or used.
    """
    from foundation import connection
    from revops import settings as reader
    from revops.embedded import server

    settings = reader.load()
    for name in connection.ELSEWHERE if settings.embedded else ():
        os.environ.pop(name, None)
    dsn = server.up(settings)
    environment = settings.child_environment(dsn)
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)
    _logged(settings)
    if check:
        from contextlib import closing

        from foundation import database
        from meshkeys import suitable

        with closing(database.connect(dsn, autocommit=True)) as opened:
            suitable.check(opened)
    return settings, dsn


def _locked(dsn: str, purpose: str, wait: float) -> Any:
    from revops import lock

    return lock.hold(dsn, purpose, wait)


def _folder(data: Path | None) -> Path | None:
    """A folder, file or glob named on the command line, as seen from the working directory."""
    if data is None:
        return None
    try:
        data = data.expanduser().absolute()  # make passes ~ on unchanged, and not every shell expands it
    except RuntimeError as error:
        raise UsageError(
            f"--data {str(data)!r}: there is no such home directory\n  Name the folder in full."
        ) from error
    if not data.exists() and not set("*?[") & set(str(data)):
        raise UsageError(f"--data {str(data)!r}: there is no such folder, file or glob\n  Check its name.")
    return data


def _names(listed: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (listed or "").split(",") if name.strip())


def _function(module: str, name: str) -> Callable[..., Any]:
    import importlib

    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def _sqlmesh(settings: Settings, arguments: Sequence[str]) -> list[str]:
    options = ["--log-file-dir", str(settings.logs)] if "--log-file-dir" not in arguments else []
    if Path.cwd() != settings.root and not {"-p", "--paths"} & set(arguments):
        options += ["--paths", str(settings.root)]
    return [*SQLMESH, *options, *arguments]


def _execute(command: Sequence[str], environment: dict[str, str]) -> NoReturn:
    """Becomes another program, so that signals and the exit code are its own."""
    sys.stdout.flush()
    os.execve(command[0], list(command), environment)


def _print_results(results: Sequence[Any], as_json: bool) -> None:
    from revops.terminal import display

    click.echo(display.as_json(results) if as_json else display.check_lines(results))


__all__ = ["RevopsError", "call", "cli", "main"]
