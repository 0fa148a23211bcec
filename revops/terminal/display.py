"""How results are printed: JSON for programs, aligned plain text for people. Computes nothing."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any


def program() -> str:
    """How to call this program from the user's folder: `revops`, with its path if needed."""
    own = Path(sys.executable).with_name("revops")
    on_path = shutil.which("revops")
    if (on_path is not None and os.path.realpath(on_path) == os.path.realpath(own)) or not own.exists():
        return "revops"
    return os.path.relpath(own) if own.is_relative_to(Path.cwd()) else str(own)


def as_json(value: object) -> str:
    """JSON of dataclasses, mappings and sequences; dates in ISO form, decimals as text (they are money)."""
    return json.dumps(value, default=_plain, indent=2, ensure_ascii=False)


def check_lines(results: Sequence[Any]) -> str:
    """One line per check: `ok` or `FAILED`, its name, its figures."""
    width = max((len(result.name) for result in results), default=0)
    return "\n".join(
        f"{'ok    ' if result.passed else 'FAILED'}  {result.name:<{width}}  {result.detail}".rstrip()
        for result in results
    )


def as_text(value: object, indent: int = 0) -> str:
    """Nested mappings and sequences as indented, aligned lines; a list of alike mappings as a table."""
    pad = " " * indent
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, Mapping):
        width = max((len(str(key)) for key in value), default=0)
        lines = []
        for key, item in value.items():
            if _is_nested(item):
                lines += [f"{pad}{key}", as_text(item, indent + 2)]
            else:
                lines.append(f"{pad}{key!s:<{width}}  {_cell(item)}")
        return "\n".join(lines)
    if isinstance(value, Sequence) and not isinstance(value, str):
        rows = [dataclasses.asdict(item) if dataclasses.is_dataclass(item) else item for item in value]  # type: ignore[arg-type]
        if rows and all(isinstance(row, Mapping) for row in rows):
            return "\n".join(pad + line for line in table([dict(row) for row in rows]))
        return "\n".join(f"{pad}{_cell(item)}" for item in rows)
    return f"{pad}{_cell(value)}"


def table(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Lines of a table; numbers to the right."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(column), *(len(line[n]) for line in cells)) for n, column in enumerate(columns)]
    right = [all(isinstance(row.get(column), (int, float, Decimal, type(None))) for row in rows) for column in columns]

    def line(texts: Sequence[str]) -> str:
        parts = zip(texts, widths, right, strict=True)
        return "  ".join(
            text.rjust(width) if is_right else text.ljust(width) for text, width, is_right in parts
        ).rstrip()

    return [line(columns), *(line(texts) for texts in cells)]


def _is_nested(item: object) -> bool:
    nested = dataclasses.is_dataclass(item) or (isinstance(item, (Mapping, Sequence)) and not isinstance(item, str))
    return nested and bool(item)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, Decimal)):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    text = str(value)
    return "".join(letter if letter.isprintable() else "?" for letter in text) if text else "-"


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return str(value)
