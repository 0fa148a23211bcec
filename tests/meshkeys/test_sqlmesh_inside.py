"""Each place where SQLMesh is touched beyond what it promises still does what this package needs. On DuckDB, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from sqlglot import exp, parse_one
from sqlglot.optimizer.annotate_types import annotate_types
from sqlmesh import Context
from sqlmesh.core import console as consoles
from sqlmesh.core.context import GenericContext
from sqlmesh.core.engine_adapter.postgres import PostgresEngineAdapter
from sqlmesh.core.macros import MacroEvaluator, RuntimeStage
from sqlmesh.core.plan.definition import EvaluatablePlan
from sqlmesh.core.renderer import QueryRenderer
from sqlmesh.utils import metaprogramming
from sqlmesh.utils.metaprogramming import Executable

from meshkeys import sqlmesh_inside
from meshkeys.catalog import Relation
from tests.meshkeys.seams import ON_ADAPTER, SEEN, Seen

CONFIG = """
gateways: {one: {connection: {type: duckdb}}}
default_gateway: one
model_defaults:
  dialect: duckdb
  start: 2020-01-01
  pre_statements: ["@seen('before')"]
  post_statements: ["@seen('after')"]
  on_virtual_update: ["@seen('virtual')"]
  session_properties: {promotes: "@seen('session')"}
before_all: ["@seen('first')"]
after_all: ["@seen('last')"]
disable_anonymized_analytics: true
"""
MACRO = """
from sqlmesh import macro


@macro()
def seen(evaluator, where):
    from tests.meshkeys.seams import note

    note(evaluator, where.name)
    return "SELECT 1" if evaluator.runtime_stage.endswith("_all") else None
"""
DAYS = """
MODEL (name a.days, kind INCREMENTAL_BY_TIME_RANGE (time_column day));
SELECT DATE '2020-01-02' AS day, 1::int AS n WHERE DATE '2020-01-02' BETWEEN @start_date AND @end_date
"""
SHOWN = "MODEL (name a.shown, kind VIEW); SELECT day, n FROM a.days"


def files(root: Path, config: str = CONFIG) -> Path:
    for name, text in (
        ("config.yaml", config),
        ("macros/seen.py", MACRO),
        ("models/days.sql", DAYS),
        ("models/shown.sql", SHOWN),
    ):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return root


def plan(context: Context, environment: str = "prod", **options: Any) -> list[Seen]:
    """Plans an environment; returns what the macro saw meanwhile."""
    SEEN.clear()
    context.plan(environment, auto_apply=True, no_prompts=True, skip_tests=True, **options)
    return list(SEEN)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    for name in ("plan", "run"):  # as SQLMesh has them, and put back at the end
        own = getattr(GenericContext, name)
        monkeypatch.setattr(GenericContext, name, getattr(own, "meshkeys_wraps", own))
    before = consoles.get_console()
    consoles.set_console(consoles.NoopConsole())
    opened = Context(paths=[files(tmp_path)])
    yield opened
    ON_ADAPTER.clear()
    opened.close()
    consoles.set_console(before)


def test_physical_name_and_evaluated_snapshot_are_those_of_the_statements(context: Context) -> None:
    evaluated = [seen for seen in plan(context) if seen.stage == "evaluating" and seen.where == "after"]
    by_model = {seen.snapshot.name: seen for seen in evaluated}
    days = by_model['"memory"."a"."days"']
    assert Relation.of(days.name) == Relation.of(days.snapshot.table_name())
    created = [seen for seen in SEEN if seen.stage == "creating" and seen.where == "before"]
    assert created


def test_evaluated_range_is_that_of_the_query_with_its_end_included(context: Context) -> None:
    ranges = [
        seen.range
        for seen in plan(context, "dev", start="2020-01-01", end="2020-01-03")
        if seen.stage == "evaluating" and seen.snapshot.name.endswith('"days"')
    ]
    assert {found[:2] for found in ranges if found} == {("2020-01-01 00:00:00", "2020-01-03 23:59:59.999999")}


def test_the_events_of_a_promotion_come_in_order_with_their_view(context: Context) -> None:
    """`session_properties` is rendered before the view is touched; `on_virtual_update` after."""

    def create(create_view: Any, adapter: Any, name: Any, *args: Any, **options: Any) -> None:
        SEEN.append(Seen("view", "promoting", None, [], name=name))
        create_view(name, *args, **options)

    ON_ADAPTER.append(lambda adapter: sqlmesh_inside.intercept_views(adapter, create))
    seen_of_days = [
        seen for seen in plan(context) if seen.stage == "promoting" and str(Relation.of(seen.name)) == "a.days"
    ]
    assert [seen.where for seen in seen_of_days] == ["session", "view", "virtual"]
    promoted = [seen.model.name for seen in SEEN if seen.where == "virtual" and seen.stage == "promoting"]
    assert sorted(promoted) == ["a.days", "a.shown"]


@pytest.mark.parametrize("environment", ["prod", "Dev-1"])
def test_names_of_views_are_those_that_sqlmesh_gives_to_macros(context: Context, environment: str) -> None:
    if environment != "prod":
        plan(context)
    (first, *_) = plan(context, environment, include_unmodified=True)
    assert first.stage == "before_all"
    assert first.environment is not None
    found = sqlmesh_inside.names_of_views(first.environment, first.snapshots)
    assert sorted(map(Relation.of, found)) == sorted(map(Relation.of, first.views or []))


def test_applied_plan_is_found_before_all_and_only_in_a_plan(context: Context) -> None:
    (first, *_) = plan(context)
    assert isinstance(first.plan, EvaluatablePlan)
    assert first.plan.environment.name == "prod"
    SEEN.clear()
    context.run("prod", ignore_cron=True)
    assert all(seen.plan is None for seen in SEEN)


def test_unbuilt_names_what_a_plan_skips(context: Context) -> None:
    (first, *_) = plan(context, "dev", skip_backfill=True)
    assert sqlmesh_inside.unbuilt(first.plan, first.snapshots) == {snapshot.name for snapshot in first.snapshots}
    plan(context)
    (first, *_) = plan(context, "other", skip_backfill=True, include_unmodified=True)
    assert not sqlmesh_inside.unbuilt(first.plan, first.snapshots)


def test_a_version_may_know_all_versions_before_it(context: Context) -> None:
    (first, *_) = plan(context)
    snapshot = first.snapshots[0]
    assert sqlmesh_inside.may_know_all_versions(snapshot)
    versions = MagicMock(all_versions=[*snapshot.all_versions] * 1000)
    assert not sqlmesh_inside.may_know_all_versions(versions)


def of_postgres() -> Any:
    """PostgreSQL's adapter on a connection that notes what is executed."""
    connection = MagicMock()
    connection.cursor.return_value.fetchone.return_value = None
    return PostgresEngineAdapter(lambda: connection, dialect="postgres"), connection.cursor.return_value.execute


def test_alterations_are_told_as_added_dropped_and_changed() -> None:
    adapter, _ = of_postgres()
    is_now = {"a": exp.DataType.build("int"), "b": exp.DataType.build("int"), "c": exp.DataType.build("int")}
    wanted = {"a": exp.DataType.build("int"), "c": exp.DataType.build("text"), "d": exp.DataType.build("date")}
    found = sqlmesh_inside.alterations(adapter, "a.days", is_now, wanted)
    assert ("drop", "b", "") in found
    assert ("add", "d", "DATE") in found
    assert {change for change, name, _ in found if name == "c"} & {"change", "drop"}


def test_let_grant_switches_the_grants_of_models(context: Context, tmp_path: Path) -> None:
    granted = DAYS.replace("(time_column day)", "(time_column day), grants ('select' = ['nobody'])", 1)
    (tmp_path / "models/days.sql").write_text(granted)
    context.load()
    tried: list[Any] = []
    is_on = False

    def switch(adapter: Any) -> None:
        adapter.sync_grants_config = lambda *args, **options: tried.append(args)
        sqlmesh_inside.let_grant(adapter, is_on)

    ON_ADAPTER.append(switch)
    plan(context)
    assert not tried
    is_on = True
    (tmp_path / "models/days.sql").write_text(granted.replace("1::int", "2::int"))
    context.load()
    plan(context)
    assert tried


def test_at_end_of_plans_calls_back_also_after_one_that_fails(context: Context, tmp_path: Path) -> None:
    called: list[str] = []

    def ended(stop: Any) -> None:
        called.append("end")
        stop()

    sqlmesh_inside.at_end_of_plans(ended)
    sqlmesh_inside.at_end_of_plans(ended)
    plan(context)
    assert called == ["end"]
    (tmp_path / "models/days.sql").write_text(DAYS.replace("1::int", "error('broken')::int"))
    context.load()
    with pytest.raises(Exception, match="Plan application failed"):
        plan(context)
    assert called == ["end", "end"]


def test_around_plans_and_runs_is_called_once_for_each_also_without_work(context: Context) -> None:
    called: list[str] = []

    def around(call: Any, of: Any) -> Any:
        assert of is context
        called.append("begin")
        result = call()
        called.append("end")
        return result

    sqlmesh_inside.around_plans_and_runs(around)
    sqlmesh_inside.around_plans_and_runs(around)
    plan(context)
    assert called == ["begin", "end"]
    assert not plan(context), "without changes no statement is run"
    assert called == ["begin", "end"] * 2
    context.run("prod")
    assert called == ["begin", "end"] * 3


def test_intercept_views_comes_before_the_drop_of_postgresqls_adapter() -> None:
    adapter, execute = of_postgres()
    query = parse_one("SELECT 1 AS a", dialect="postgres")
    adapter.create_view("s.v", query)
    assert any("DROP VIEW" in str(call) for call in execute.call_args_list), "what the interception is for"
    execute.reset_mock()
    seen: list[Any] = []

    def instead(create: Any, of: Any, *args: Any, **options: Any) -> None:
        seen.append((of, args))

    sqlmesh_inside.intercept_views(adapter, instead)
    sqlmesh_inside.intercept_views(adapter, instead)
    adapter.create_view("s.v", query)
    assert seen == [(adapter, ("s.v", query))]
    assert not execute.called


def test_replace_view_is_one_statement() -> None:
    adapter, execute = of_postgres()
    sqlmesh_inside.replace_view(adapter, "s.v", parse_one("SELECT 1 AS a", dialect="postgres"))
    statements = [str(call.args[0]) for call in execute.call_args_list]
    assert [text for text in statements if not text.startswith("SELECT")] == [
        'CREATE OR REPLACE VIEW "s"."v" AS SELECT 1 AS "a"'
    ]


def test_share_types_of_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    query = annotate_types(
        parse_one(
            "WITH a AS (SELECT 1 AS n /* one */) SELECT n + 1, COUNT(*) FILTER(WHERE n > 0) OVER w FROM a WINDOW w AS ()"
        )
    )
    query.meta["kept"] = {"of": [1]}
    copied = query.copy()
    monkeypatch.setattr(exp.Expression, "__deepcopy__", exp.Expression.__deepcopy__)
    sqlmesh_inside.share_types_of_copies()
    shared = query.copy()
    for other in (copied, shared):
        assert repr(other) == repr(query)
        assert other.sql() == query.sql()
        for one, node in zip(other.walk(), query.walk(), strict=True):
            assert one is not node
            assert one.type == node.type
            assert one.comments == node.comments
            assert one.args.keys() == node.args.keys()
            assert (one.arg_key, one.index) == (node.arg_key, node.index)
            assert one.parent is None or one in one.parent.iter_expressions()
    typed = [(one, node) for one, node in zip(shared.walk(), query.walk(), strict=True) if node.type]
    assert typed
    assert all(one.type is node.type for one, node in typed)
    shared.meta["kept"]["of"].append(2)
    shared.find(exp.Literal).set("this", "7")
    assert query.meta["kept"] == {"of": [1]}
    assert "7" not in query.sql()


def test_compile_macros_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(metaprogramming, "exec", raising=False)
    compiled: list[str] = []
    monkeypatch.setattr(
        sqlmesh_inside, "_compiled", lambda source: compiled.append(source) or compile(source, "x", "exec")
    )
    sqlmesh_inside.compile_macros_once()
    source = Executable(payload="def twice(n):\n    return 2 * n", name="twice", path="macros/twice.py")
    environments = [metaprogramming.prepare_env({"twice": source}) for _ in range(2)]
    assert [env["twice"](21) for env in environments] == [42, 42]
    assert compiled == [source.payload] * 2
    assert environments[0]["twice"] is not environments[1]["twice"]


@pytest.mark.parametrize("dialect", ["postgres", "duckdb"])
def test_fill_tables_by_queries_as_written(context: Context, monkeypatch: pytest.MonkeyPatch, dialect: str) -> None:
    monkeypatch.setattr(QueryRenderer, "render", QueryRenderer.render)
    optimized: list[str] = []
    optimize = QueryRenderer._optimize_query
    monkeypatch.setattr(
        QueryRenderer, "_optimize_query", lambda self, *rest: optimized.append(self._model_fqn) or optimize(self, *rest)
    )
    sqlmesh_inside.fill_tables_by_queries_as_written()
    sqlmesh_inside.fill_tables_by_queries_as_written()
    snapshots = {snapshot.name: snapshot for snapshot in plan(context)[0].snapshots}
    optimized.clear()
    for name, is_view in (('"memory"."a"."days"', False), ('"memory"."a"."shown"', True)):
        for stage in (RuntimeStage.CREATING, RuntimeStage.EVALUATING):
            query = snapshots[name].model.render_query_or_raise(
                start="2020-01-02", snapshots=snapshots, engine_adapter=MagicMock(dialect=dialect), runtime_stage=stage
            )
            assert ("sqlmesh__a" in query.sql()) is is_view, "the view is of the table of days"
            assert (name in optimized) is (is_view or dialect != "postgres")


def test_parse_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def parse(self: MacroEvaluator, text: Any, **options: Any) -> Any:
        parsed.append(text)
        return parse_one(text, dialect=self.dialect, **options)

    monkeypatch.setattr(MacroEvaluator, "parse_one", parse)
    monkeypatch.setattr(exp.DataType, "from_str", exp.DataType.__dict__["from_str"])
    sqlmesh_inside.parse_once()
    first, second = (MacroEvaluator(dialect="postgres").parse_one("a + 1") for _ in range(2))
    assert parsed == ["a + 1"]
    assert first == second
    first.set("this", exp.column("b"))
    assert second.sql() == MacroEvaluator(dialect="postgres").parse_one("a + 1").sql() == "a + 1", "each has a copy"
    MacroEvaluator(dialect="duckdb").parse_one("a + 1")
    MacroEvaluator(dialect="postgres").parse_one("a + 1", into=exp.Condition)
    assert parsed == ["a + 1"] * 3, "of another dialect, and into something else"
    one, other = (exp.DataType.build("numeric(12, 2)", dialect="postgres", udt=True) for _ in range(2))
    assert one == other
    assert one is not other
    assert one.sql("postgres") == "DECIMAL(12, 2)"
