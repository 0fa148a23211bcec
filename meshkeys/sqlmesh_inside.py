"""Where SQLMesh is touched beyond what it promises: each function says why. Another version of SQLMesh breaks here first.

Written for SQLMesh 0.236; tests/meshkeys/test_sqlmesh_inside.py has one test for each function, by its name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import cache, partial, wraps
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlmesh.core.engine_adapter import EngineAdapter
    from sqlmesh.core.macros import MacroEvaluator
    from sqlmesh.core.plan.definition import EvaluatablePlan

_MOST_TEXTS = 20_000


def physical_name(evaluator: MacroEvaluator) -> Any:
    """The table or view that the statements of a model are run for, which macros are given as a local variable only."""
    return evaluator.locals["this_model"]


def evaluated_snapshot(evaluator: MacroEvaluator) -> Any:
    """The version of the model that is evaluated, None where none is: a local variable too."""
    return evaluator.locals.get("snapshot")


def evaluated_range(evaluator: MacroEvaluator) -> tuple[str, str, str]:
    """Start, end (included) and time of an evaluation, as SQLMesh renders them in a query; local variables too."""
    start, end, execution = (str(evaluator.locals[f"{name}_ts"]) for name in ("start", "end", "execution"))
    return start, end, execution


def names_of_views(environment: str, snapshots: Iterable[Any]) -> list[str]:
    """The views of an environment, by SQLMesh's own rule: macros are given theirs, programs beside SQLMesh are not."""
    from sqlmesh.core.environment import EnvironmentNamingInfo

    naming = EnvironmentNamingInfo(name=environment)
    return [snapshot.qualified_view_name.for_environment(naming, dialect="postgres") for snapshot in snapshots]


def applied_plan() -> EvaluatablePlan | None:
    """The plan that is being applied, None in a run: SQLMesh does not pass it to `before_all`."""
    from sqlmesh.core.plan.definition import EvaluatablePlan

    frame = sys._getframe()
    while frame is not None:
        plan = frame.f_locals.get("plan")
        if isinstance(plan, EvaluatablePlan):
            return plan
        frame = frame.f_back  # type: ignore[assignment]
    return None


def unbuilt(plan: EvaluatablePlan, snapshots: list[Any]) -> set[str]:
    """The models with days that are not built, those that the plan skips included; SQLMesh computes this only inside of plans."""
    from sqlmesh.core.scheduler import merged_missing_intervals
    from sqlmesh.core.snapshot.definition import DeployabilityIndex

    missing = merged_missing_intervals(
        snapshots=snapshots,
        start=plan.start,
        end=plan.end,
        execution_time=plan.execution_time,
        deployability_index=DeployabilityIndex.all_deployable(),
        end_bounded=plan.end_bounded,
        ignore_cron=plan.ignore_cron,
        start_override_per_model=plan.start_override_per_model,
        end_override_per_model=plan.end_override_per_model,
    )
    return {snapshot.name for snapshot in missing}


def may_know_all_versions(snapshot: Any) -> bool:
    """Whether a version knows all versions before it: SQLMesh keeps a limited number."""
    from sqlmesh.core.constants import DATA_VERSION_LIMIT

    return len(snapshot.all_versions) < int(DATA_VERSION_LIMIT)


def alterations(
    adapter: EngineAdapter, name: str, existing: dict[str, Any], wanted: dict[str, Any]
) -> list[tuple[str, str, str]]:
    """What SQLMesh would alter of a table: `add`, `drop` or `change`, the column, and the type of one that is added."""
    from sqlmesh.core.schema_diff import TableAlterAddColumnOperation, TableAlterDropColumnOperation

    found = []
    for operation in adapter.schema_differ.compare_columns(name, existing, wanted):
        if isinstance(operation, TableAlterAddColumnOperation):
            found.append(("add", operation.column.name, operation.column_type.sql(dialect="postgres")))
        else:
            is_drop = isinstance(operation, TableAlterDropColumnOperation)
            found.append(("drop" if is_drop else "change", operation.column.name, ""))
    return found


def let_grant(adapter: EngineAdapter, is_on: bool) -> None:
    """Makes SQLMesh skip the grants of models, because it fails at the first one to a missing role."""
    adapter.SUPPORTS_GRANTS = is_on


def at_end_of_plans(callback: Callable[[Callable[[], None]], None]) -> None:
    """Has `callback(stop)` called at the end of each plan, in place of `stop`: a plan that fails does not run `after_all`."""
    from sqlmesh.core.console import get_console

    console = get_console()
    stop = console.stop_plan_evaluation
    if getattr(stop, "func", None) is not callback:
        console.stop_plan_evaluation = partial(callback, stop)


def around_plans_and_runs(wrapper: Callable[[Callable[[], Any], Any], Any]) -> None:
    """Has `wrapper(call, context)` called in place of each plan and run: one without work runs no statement at all."""
    from sqlmesh.core.context import GenericContext

    for name in ("plan", "run"):
        original = getattr(GenericContext, name)
        if not hasattr(original, "meshkeys_wraps"):
            setattr(GenericContext, name, _wrapped(original, wrapper))


def intercept_views(adapter: EngineAdapter, replacement: Callable[..., None]) -> None:
    """Has `replacement(create, adapter, name, query, ...)` called in place of the adapter's `create_view`, which drops first."""
    create = adapter.create_view
    if getattr(create, "func", None) is not replacement:
        adapter.create_view = partial(replacement, create, adapter)


def replace_view(adapter: EngineAdapter, name: Any, query: Any, *args: Any, **options: Any) -> None:
    """CREATE OR REPLACE VIEW by the method that all engines share: that of PostgreSQL drops the view first."""
    from sqlmesh.core.engine_adapter.base import EngineAdapter

    EngineAdapter.create_view(adapter, name, query, *args, **{**options, "replace": True})


def share_types_of_copies() -> None:
    """Has copies of an expression share the types of its nodes, numbers and texts: most of a copy's time, SQLGlot copies them.

    A type is set on a node, and never changed in place. SQLMesh copies a query several times for each evaluation and audit.
    """
    from sqlglot.expressions.core import Expression

    Expression.__deepcopy__ = _copied


def compile_macros_once() -> None:
    """Has SQLMesh keep the compiled code of macros: it compiles their source again for each query, statement and audit."""
    from sqlmesh.utils import metaprogramming

    vars(metaprogramming).setdefault("exec", _executed)


def parse_once() -> None:
    """Has what macros return, and the names of columns' types, parsed once each: both come again for each query and audit."""
    from sqlglot import exp
    from sqlmesh.core.macros import MacroEvaluator

    if not hasattr(MacroEvaluator.parse_one, "meshkeys_wraps"):
        MacroEvaluator.parse_one = _parsed_once(MacroEvaluator.parse_one, lambda evaluator: str(evaluator.dialect))
        exp.DataType.from_str = classmethod(_parsed_once(exp.DataType.from_str.__func__, str))


def fill_tables_by_queries_as_written() -> None:
    """Has PostgreSQL find the names and types of a query itself, which SQLMesh takes longer to add than to render the query.

    Not those of views, which are compared with what SQLMesh renders.
    """
    from sqlmesh.core.macros import RuntimeStage
    from sqlmesh.core.renderer import QueryRenderer

    render = QueryRenderer.render
    stages = (RuntimeStage.CREATING, RuntimeStage.EVALUATING)

    @wraps(render)
    def rendered(renderer: Any, *, needs_optimization: bool = True, **options: Any) -> Any:
        fills = needs_optimization and options.get("runtime_stage") in stages and not renderer._model.kind.is_view
        if not fills or options["engine_adapter"].dialect != "postgres":
            return render(renderer, needs_optimization=needs_optimization, **options)
        query = render(renderer, needs_optimization=False, **options)
        return query and renderer._resolve_tables(query, **options)

    if not hasattr(render, "meshkeys_wraps"):
        rendered.meshkeys_wraps = render  # type: ignore[attr-defined]
        QueryRenderer.render = rendered


def _parsed_once(parse: Callable[..., Any], key: Callable[[Any], str]) -> Callable[..., Any]:
    """A method that parses a text, with copies of what it returned for the same text, options and owner before."""
    known: dict[Any, Any] = {}

    @wraps(parse)
    def parsed(owner: Any, text: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(text, str):
            return parse(owner, text, *args, **options)
        which = (key(owner), text, *args, *sorted(options.items()))
        if which not in known:
            if len(known) >= _MOST_TEXTS:
                known.clear()
            known[which] = parse(owner, text, *args, **options)
        return known[which].copy()

    parsed.meshkeys_wraps = parse  # type: ignore[attr-defined]
    return parsed


@cache
def _compiled(source: str) -> CodeType:
    return compile(source, "<string>", "exec")


def _executed(source: str, env: dict[str, Any]) -> None:
    exec(_compiled(source), env)  # what SQLMesh was about to execute


def _copied(self: Any, memo: Any) -> Any:
    """A copy of an expression with all below it, without its parent; in place of `Expression.__deepcopy__`."""
    from sqlglot.expressions.core import Expr

    root = type(self)()
    left = [(self, root)]

    def begun(child: Any, parent: Any, key: str, index: int | None = None) -> Any:
        if not isinstance(child, Expr):
            return child
        copy = type(child)()
        copy.parent, copy.arg_key, copy.index = parent, key, index
        left.append((child, copy))
        return copy

    while left:
        node, copy = left.pop()
        copy._type = node._type
        copy.comments = node.comments and list(node.comments)
        if node._meta:  # where it is in its file, mostly: numbers
            copy._meta = {
                key: value if type(value) in (int, str, bool) else deepcopy(value) for key, value in node._meta.items()
            }
        for key, value in node.args.items():
            copy.args[key] = (
                [begun(child, copy, key, index) for index, child in enumerate(value)]
                if type(value) is list
                else begun(value, copy, key)
            )
    return root


def _wrapped(original: Callable[..., Any], wrapper: Callable[[Callable[[], Any], Any], Any]) -> Callable[..., Any]:
    @wraps(original)
    def wrapped(context: Any, *args: Any, **options: Any) -> Any:
        return wrapper(partial(original, context, *args, **options), context)

    wrapped.meshkeys_wraps = original  # type: ignore[attr-defined]
    return wrapped
