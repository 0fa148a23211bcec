"""This project's macros in SQLMesh's registry, for tests that expand them without a project around them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlmesh.core.macros import macro
from sqlmesh.utils.metaprogramming import import_python_file

from tests.conftest import ROOT


@contextmanager
def registered() -> Iterator[None]:
    """Registers the macros of this project, and takes them out of the registry at the end.

    Of two macros with the same code SQLMesh's registry keeps the first. Left there, these would take the place of those of
    every copy of the project that a later test of the same process loads.
    """
    before = macro.get_registry()
    try:
        for path in sorted((ROOT / "macros").glob("*.py")):
            import_python_file(path, ROOT)
        yield
    finally:
        macro.set_registry(before)
