"""The macros by which a model declares keys, indexes and a materialized view, and those that act on them.

A declaration says what is to be; it does nothing where it is written. `@apply_declarations`, `@serve_declarations` and others,
which config.yaml adds to each model, and `@begin_change` and `@end_change`, which it puts around each plan and run, bring the
database to what is declared. Declarations are metadata: adding an index rebuilds no table. The code behind the macros is imported
where they run, because the code of a macro may become part of the version of a model.
"""

from __future__ import annotations

from sqlmesh import macro


@macro(metadata_only=True)
def primary_key(evaluator, *columns):
    """Declares the table's primary key: `@primary_key(transaction_id)`."""
    return


@macro(metadata_only=True)
def foreign_key(evaluator, column, parent, parent_column):
    """Declares a foreign key to another model: `@foreign_key(client_id, dimensions.dim_users, client_id)`."""
    return


@macro(metadata_only=True)
def index(evaluator, *columns, unique=None, method=None, include=None, where=None):
    """Declares an index: `@index(mcc, transacted_at, include := (amount), where := amount > 0)`."""
    return


@macro(metadata_only=True)
def materialized_view(evaluator, unique_key=None, period=None, every=None, sorted_by=None):
    """Declares that a model of kind VIEW is served from a materialized view.

    `unique_key` is the column unique over the whole view. With `period`, a date column, the materialization is split into
    one part for each `every` (year, quarter or month), so that a change of a day refreshes one part. Rows
    are stored in the order of `sorted_by`: those that are looked up together are then read together. Indexes declared
    beside it are built on each part.
    """
    return


@macro(metadata_only=True)
def fill_in_ranges(evaluator, parent):
    """Declares that a first fill may be cut into ranges of days, computed side by side: `@fill_in_ranges(facts.fct_orders)`.

    For a query that PostgreSQL runs on one core (windows), where the rows of a day are the same for any range that holds it. The
    ranges hold about as many rows each of `parent`, a table of days whose time column has the same name.
    """
    return


@macro(metadata_only=True)
def prepare_evaluation(evaluator):
    """Before an evaluation: a table of days that is still empty is filled on all cores."""
    if evaluator.runtime_stage == "evaluating":
        from meshkeys.events import before_evaluation

        before_evaluation(evaluator)
    return


@macro(metadata_only=True)
def apply_declarations(evaluator):
    """After an evaluation: keys and indexes on the model's table, contents of its materialized view."""
    if evaluator.runtime_stage in ("creating", "evaluating"):
        from meshkeys.events import after_evaluation

        after_evaluation(evaluator)
    return


@macro(metadata_only=True)
def prepare_promotion(evaluator):
    """First in a transaction that creates, promotes or demotes: keeps readers from waiting, and views of others."""
    if evaluator.runtime_stage == "creating":
        from meshkeys.events import before_creation

        before_creation(evaluator)
    elif evaluator.runtime_stage == "promoting":
        from meshkeys.events import before_promotion

        before_promotion(evaluator)
    elif evaluator.runtime_stage == "demoting":
        from meshkeys.events import before_demotion

        before_demotion(evaluator)
    return


@macro(metadata_only=True)
def serve_declarations(evaluator):
    """In the transaction of a promotion: the environment's view moves to the materialized view that belongs to it."""
    if evaluator.runtime_stage == "promoting":
        from meshkeys.events import after_promotion

        after_promotion(evaluator)
    return


@macro()
def begin_change(evaluator):
    """Before a plan or run: one lock, and no foreign key in the way of what is about to change."""
    if evaluator.runtime_stage == "before_all":
        from meshkeys.events import before_change

        before_change(evaluator)
    return "SELECT 1 AS nothing"  # a statement is expected


@macro()
def end_change(evaluator):
    """After a plan or run: prod's tables carry exactly what is declared, and nothing is left over."""
    if evaluator.runtime_stage == "after_all":
        from meshkeys.events import after_change

        after_change(evaluator)
    return "SELECT 1 AS nothing"  # a statement is expected


_IN_MODELS = (
    primary_key,
    foreign_key,
    index,
    materialized_view,
    fill_in_ranges,
    prepare_evaluation,
    apply_declarations,
    prepare_promotion,
    serve_declarations,
)
_AROUND = (begin_change, end_change)


def register() -> None:
    """Registers the macros again: SQLMesh forgets, after it has loaded a project, what the project's files registered."""
    for function in _IN_MODELS:
        macro(metadata_only=True)(function.__wrapped__)
    for function in _AROUND:
        macro()(function.__wrapped__)
