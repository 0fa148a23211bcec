"""Owns telling which relation a file belongs to: by how it begins, else by its name. Lands nothing."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection, Sequence
from itertools import groupby
from pathlib import PurePosixPath
from typing import NamedTuple

from loaders import tabformer
from loaders.errors import InputRefused
from loaders.formats import archives
from loaders.formats.archives import BEGINNING
from loaders.formats.header import Columns, find_columns, header_of
from loaders.formats.readers import text_of
from loaders.inputs import InputFile, opened
from loaders.sources import DAY_PATTERN, SOURCES, Source

_ENOUGH_COLUMNS = 0.6
"""The share of a relation's columns from which a header is that relation's, regardless of the file's name."""
PUBLISHED = {
    "transactions": "transactions_data.csv",
    "users": "users_data.csv",
    "cards": "cards_data.csv",
    "mcc_codes": "mcc_codes.json",
    "fraud_labels": "train_fraud_labels.json",
}
"""The published name of each relation's file."""

_WORDS = {
    "transactions": ("transaction", "transactions"),
    "users": ("user", "users"),
    "cards": ("card", "cards"),
    "mcc_codes": ("mcc",),
    "fraud_labels": ("label", "labels"),
}
_READ_ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
_DATA_ENDINGS = (
    *_READ_ENDINGS, ".xlsx", ".xls", ".7z", ".rar",
    ".feather", ".arrow", ".orc", ".avro", ".pkl", ".pickle", ".ods", ".h5", ".hdf5", ".sqlite", ".db",
)  # fmt: skip
_DOUBTFUL = frozenset(
    (
        "sample", "samples", "output", "outputs", "result", "results", "export", "exports", "exported", "backup",
        "backups", "enriched", "submission",
    )
)  # fmt: skip
_LABEL = re.compile(r'\s*[,{]?\s*"[0-9]+"\s*:\s*"(?:Yes|No)"')


class Recognised(NamedTuple):
    """What a file holds.

    Attributes:
        sources: the relations it has rows of, none where neither its first bytes nor its name tell.
        is_tabformer: whether it is one of IBM's TabFormer files.
    """

    sources: tuple[Source, ...]
    is_tabformer: bool = False


def recognise(file: InputFile) -> Recognised:
    """Return what a file holds.

    Raises:
        InputRefused: it belongs to a relation, by its name or its rows, and cannot be read; or it cannot be opened.
    """
    by_name = next(
        (s for s in SOURCES.values() if any(fnmatch.fnmatchcase(file.plain_name, p) for p in s.patterns)), None
    )
    relation = by_name.relation if by_name is not None else _relation_in(file)
    if file.not_read:
        is_meant = relation is not None or file.is_named or file.plain_name.endswith(_READ_ENDINGS)
        if not is_meant and "archive" not in file.not_read:  # in an archive, anything may be
            return Recognised(())
        cure = "Unpack it, or save it as CSV."
        if "Git LFS" in file.not_read:
            cure = "Run `git lfs pull`."
        elif "archive" not in file.not_read:
            cure = "Open it and save the sheet with the rows as CSV."
        belongs = "" if relation is None else f"its name belongs to {relation}, and "
        raise InputRefused(file.name, f"{belongs}it is {file.not_read}", cure)
    beginning = None if file.is_parquet else _beginning_of(file)
    if beginning and file.member is not None and (packed := archives.packed_again(beginning)):
        raise InputRefused(
            file.name, f"it is {packed} inside an archive, under a name that does not say so", "Unpack it."
        )
    text = None if beginning is None else text_of(beginning)
    names = _column_names(file) if file.is_parquet else header_of(text or "")
    if mapped := tabformer.relations(names):
        return Recognised(tuple(SOURCES[each] for each in mapped), is_tabformer=True)
    found = _by_header(names) if text is None else _by_beginning(file, relation, text, names)
    if found is None and by_name is None and relation is not None and file.plain_name.endswith(_DATA_ENDINGS):
        reason = f"its name belongs to {relation}, and it does not begin like a file of {relation}"
        raise InputRefused(
            file.name, reason, f"Write it like the published {PUBLISHED[relation]}, or take it out of the folder."
        )
    source = found or by_name
    return Recognised(() if source is None else (source,))


def in_order(
    files: Collection[InputFile],
    chosen: Collection[str],
    refused: list[InputRefused] | None = None,
    note: Callable[[str], None] = lambda message: None,
) -> tuple[list[tuple[InputFile, Source]], list[InputFile]]:
    """Return the files of the chosen relations in the order of landing, and the files of no relation at all.

    Args:
        files: the files.
        chosen: the relations.
        refused: takes the files that belong to a relation and cannot be read; they are raised where it is None.
        note: receives what is worth a line.
    """
    found: list[tuple[InputFile, Source]] = []
    unknown: list[InputFile] = []
    mapped: list[InputFile] = []
    for file in files:
        try:
            sources, is_tabformer = recognise(file)
        except InputRefused as error:
            if refused is None:
                raise
            refused.append(error)
            continue
        if not sources:
            unknown.append(file)
        if is_tabformer:
            mapped.append(file)
        found += [(file, source) for source in sources if source.relation in chosen]
    if mapped:
        found = _as_tabformer(found, mapped)
    order = list(SOURCES)
    found.sort(key=lambda pair: (order.index(pair[1].relation), pair[0].name))
    return _without_samples(found, note), unknown


def _as_tabformer(found: list[tuple[InputFile, Source]], mapped: list[InputFile]) -> list[tuple[InputFile, Source]]:
    """Leave out the categories in a file of TabFormer where another file has categories.

    Raises:
        InputRefused: published users, cards or transactions are in the same folder, and number people differently.
    """
    other = {source.relation: file for file, source in found if file not in mapped}
    numbered = next((other[relation] for relation in ("users", "cards", "transactions") if relation in other), None)
    if numbered is not None:
        reason = f"it is one of IBM's TabFormer files, whose users have other numbers than those of {numbered.name}"
        raise InputRefused(mapped[0].name, reason, "Land the two sets into a warehouse each.")
    return [
        pair for pair in found if pair[0] not in mapped or pair[1].relation != "mcc_codes" or "mcc_codes" not in other
    ]


def _without_samples(
    found: list[tuple[InputFile, Source]], note: Callable[[str], None]
) -> list[tuple[InputFile, Source]]:
    """Leave out samples and outputs of a relation that has other files too."""
    kept: list[tuple[InputFile, Source]] = []
    for _, group in groupby(found, key=lambda pair: pair[1].relation):
        pairs = list(group)
        whole = [pair for pair in pairs if pair[0].is_named or not _DOUBTFUL & _words_of(pair[0])]
        for file, source in pairs if whole else ():
            if (file, source) not in whole:
                note(
                    f"{file.name}: passed over, by its name a sample or an output beside other files of {source.relation}"
                )
        kept += whole or pairs
    return kept


def _words_of(file: InputFile) -> set[str]:
    return set(re.split("[^a-z]+", file.name.casefold()))


def _relation_in(file: InputFile) -> str | None:
    """The relation whose word is in the last part of a file's name."""
    words = set(re.split("[^a-z]+", PurePosixPath(file.name).name.casefold()))
    return next((relation for relation, known in _WORDS.items() if words & set(known)), None)


def _beginning_of(file: InputFile) -> bytes | None:
    """The bytes that a file begins with, None where it is damaged: refused when it lands, if its name is one of ours."""
    beginning = file.beginning
    if beginning is None:
        with opened(file) as stream:
            try:
                beginning = stream.read(BEGINNING)
            except InputRefused:
                return None
    return beginning


def _by_beginning(file: InputFile, relation: str | None, text: str, names: Sequence[str]) -> Source | None:
    """The source that a file's beginning shows; where its name tells the relation, other names of columns will do."""
    source = _by_header(names)
    if source is not None:
        return source
    if relation is not None and isinstance(find_columns(SOURCES[relation], names), Columns):
        return SOURCES[relation]
    lines = text.splitlines()
    rows = [[value.strip(' "') for value in line.split(",")] for line in lines[:2]]
    compact = "".join("".join(lines).split())
    labels = next(source for source in SOURCES.values() if source.format == "labels_json")
    if compact.startswith('{"target":{'):
        return labels
    for source in SOURCES.values():
        is_headed = not any(character.isdigit() for value in rows[0] for character in value) if rows else False
        is_headed = is_headed and len(rows[0]) == len(source.columns)  # by names that are not known
        if source.format == "csv" and not is_headed and any(_is_row(source, row) for row in rows):
            raise InputRefused(
                file.name,
                f"it holds rows of {source.relation}, and no header",
                "Join the parts of a split file with cat, or put the header line before each.",
                1,
            )
    if _LABEL.match("".join(lines)):
        if text.lstrip().startswith("{"):
            return labels
        cure = "Join the parts of a split file with cat."
        raise InputRefused(file.name, f"it holds {labels.relation}, and not from the beginning", cure, 1)
    return None


def _by_header(names: Sequence[str]) -> Source | None:
    for source in SOURCES.values():
        if isinstance(find_columns(source, names, by_alias=False), Columns):
            return source
    header = {name.casefold() for name in names}
    shares = {
        source.relation: len(header & set(source.columns)) / len(source.columns)
        for source in SOURCES.values()
        if source.format == "csv"
    }
    best = max(shares, key=shares.__getitem__)
    return SOURCES[best] if shares[best] >= _ENOUGH_COLUMNS else None


def _is_row(source: Source, values: Sequence[str]) -> bool:
    """Whether values are those of a published row: as many, numbers in the keys, a day in the date."""
    if len(values) != len(source.columns):
        return False
    row = dict(zip(source.columns, values, strict=True))
    keys = all(row[column].isdigit() for column in source.key_columns)
    return keys and (source.date_column is None or re.match(DAY_PATTERN, row[source.date_column]) is not None)


def _column_names(file: InputFile) -> Sequence[str]:
    from loaders.formats.parquet import column_names

    try:
        return column_names(file)
    except InputRefused:
        return ()
