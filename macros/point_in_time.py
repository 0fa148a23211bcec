"""How long the change of a day is felt by the rows of later days."""

from __future__ import annotations

from sqlmesh import macro


@macro(metadata_only=True)
def felt_for_days(evaluator, days):
    """Declares that rows of a model look back by so many days: `@felt_for_days(90)`.

    When a day is restated, whoever restates it has to restate this model, with all that reads it, over so many days after.
    """
    return
