"""Owns telling which relation a file belongs to: by its name, else by how it begins. Lands nothing."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection

from loaders.errors import InputRefused
from loaders.header import Columns, find_columns, header_of
from loaders.inputs import InputFile, opened
from loaders.readers import text_of
from loaders.sources import SOURCES, Source

_BEGINNING = 4096


def recognise(file: InputFile) -> Source | None:
    """Return the source a file belongs to, None where neither its name nor its first bytes tell."""
    name = file.plain_name
    for source in SOURCES.values():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in source.patterns):
            return source
    if file.is_parquet:
        return _by_columns(file)
    return _by_beginning(file)


def in_order(
    files: Collection[InputFile], chosen: Collection[str]
) -> tuple[list[tuple[InputFile, Source]], list[InputFile]]:
    """Return the files of the chosen relations in the order of landing, and the files of no relation at all."""
    found: list[tuple[InputFile, Source]] = []
    unknown: list[InputFile] = []
    for file in files:
        source = recognise(file)
        if source is None:
            unknown.append(file)
        elif source.relation in chosen:
            found.append((file, source))
    order = list(SOURCES)
    found.sort(key=lambda pair: (order.index(pair[1].relation), pair[0].name))
    return found, unknown


def _by_beginning(file: InputFile) -> Source | None:
    try:
        with opened(file) as stream:
            beginning = stream.read(_BEGINNING)
    except InputRefused:
        return None  # a file of no known name that cannot be read is not one of ours
    text = text_of(beginning)
    names = header_of(text)
    for source in SOURCES.values():
        if isinstance(find_columns(source, names, by_alias=False), Columns):
            return source
    compact = "".join(text.split())
    labels = next(source for source in SOURCES.values() if source.format == "labels_json")
    return labels if compact.startswith('{"target":{') else None


def _by_columns(file: InputFile) -> Source | None:
    from loaders.parquet import column_names

    try:
        names = column_names(file)
    except InputRefused:
        return None
    found = (source for source in SOURCES.values() if isinstance(find_columns(source, names, by_alias=False), Columns))
    return next(found, None)
