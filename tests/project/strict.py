"""SQLMesh's comparison of expected and actual rows, made exact.

It compares numbers with a relative tolerance of 1e-5 (1234.50 passes for 1234.51), and where a boolean column holds no
NULL it turns an expected NULL into FALSE. Both would hide the very mistakes that a warehouse of money and labels must not
make. So beside its own comparison, row by row, each column's values are counted here, exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlmesh.core.test.definition import ModelTest


def install(patch: pytest.MonkeyPatch) -> None:
    """Makes SQLMesh's unit tests compare exactly, until `patch` is undone."""
    original = ModelTest.assert_equal

    def assert_equal(
        self: ModelTest, expected: pd.DataFrame, actual: pd.DataFrame, sort: bool, partial: bool | None = False
    ) -> None:
        original(self, expected, actual, sort=sort, partial=partial)
        for column in expected.columns:
            wanted, found = _counted(expected[column]), _counted(actual[column])
            assert wanted == found, f"{column}: expected {dict(wanted)}, found {dict(found)}"

    patch.setattr(ModelTest, "assert_equal", assert_equal)


def _counted(values: Iterable[Any]) -> Counter[Any]:
    return Counter(_exact(value) for value in values)


def _exact(value: Any) -> Any:
    """NULL, TRUE and FALSE apart; a number as the text of it; of anything else, which SQLMesh compares well, that it is there."""
    if value is None or (not isinstance(value, str) and pd.api.types.is_scalar(value) and pd.isna(value)):
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, Number | Decimal):
        return f"{float(str(value)):.12g}"
    return "something"
