"""README's pictures: each is shown, the drawn one is what the program draws, and together they are small."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from bench import pictures
from tests.conftest import ROOT

pytestmark = pytest.mark.unit


def test_each_picture_is_shown_and_they_are_small_enough_to_clone() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(docs/pictures/([\w.]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(path.name for path in pictures.OUT.iterdir())
    assert sum(path.stat().st_size for path in pictures.OUT.iterdir()) < 300_000


def test_the_drawn_one_is_what_the_program_draws() -> None:
    drawn = pictures.layers()
    assert (pictures.OUT / "layers.svg").read_text(encoding="utf-8") == drawn
    texts = " ".join(ElementTree.fromstring(drawn).itertext())
    schemas = {path.name for path in (ROOT / "models").iterdir() if path.is_dir()} - {"seeds"}
    assert [schema for schema in schemas if schema not in texts] == []
