"""The package with its own settings, not those of this project."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshkeys import settings


@pytest.fixture(autouse=True)
def _default_settings() -> Iterator[None]:
    before = settings.current()
    settings.configure()
    yield
    settings.configure(before)
