"""The windows of a model: how many earlier and later days its rows read."""

from __future__ import annotations

from sqlmesh import macro


@macro(metadata_only=True)
def look_back(evaluator, days):
    """Declares that rows of a model read so many earlier days: `@look_back(90)`.

    After a day is restated, this model, and all that reads it, is restated over so many days that follow.
    """
    return


@macro(metadata_only=True)
def look_ahead(evaluator, days):
    """Declares that rows of a model read so many later days: `@look_ahead(2)`.

    After a day is restated, or added, this model, and all that reads it, is restated over so many days before.
    """
    return
