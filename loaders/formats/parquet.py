"""Owns reading parquet: turns a file with the declared columns into the bytes of the equivalent CSV."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from loaders.errors import InputRefused
from loaders.inputs import BLOCK, ByteStream, InputFile, opened

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 16_384
_CURE = "Write it again with the columns of the published file."


@contextmanager
def opened_as_csv(file: InputFile) -> Iterator[ByteStream]:
    """Open a parquet file as a stream of CSV: a header, then its rows; row n is line n + 1.

    Numbers and dates become text as the published files write them where that is possible without loss; true and false
    become Yes and No.

    Raises:
        InputRefused: it is no readable parquet file.
    """
    with opened(file) as stream:
        while stream.read(BLOCK):
            pass  # for its SHA-256: parquet is not read from start to end
        yield _ParquetStream(file, stream)
        stream.check_unchanged()


def column_names(file: InputFile) -> tuple[str, ...]:
    """Return the names of a parquet file's columns.

    Raises:
        InputRefused: it is no readable parquet file.
    """
    return tuple(_reader(file).schema_arrow.names)


class _ParquetStream(ByteStream):
    def __init__(self, file: InputFile, whole: ByteStream) -> None:
        self._file = file
        self._whole = whole
        self.seen = whole.seen
        self._blocks = _csv_blocks(file)
        self._done = 0.0

    def read(self, size: int = BLOCK) -> bytes:
        done, block = next(self._blocks, (1.0, b""))
        self._done = done
        return block

    @property
    def bytes_done(self) -> int:
        return int(self._done * self._file.size)

    @property
    def sha256(self) -> str:
        return self._whole.sha256

    def check_unchanged(self) -> None:
        self._whole.check_unchanged()


def _reader(file: InputFile) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file.packing != "plain":
        raise InputRefused(file.name, "a parquet file inside a compressed one cannot be read", "Unpack it first.")
    try:
        return pq.ParquetFile(os.fspath(file.path), buffer_size=BLOCK, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise InputRefused(file.name, "it is no readable parquet file", _CURE) from error


def _csv_blocks(file: InputFile) -> Iterator[tuple[float, bytes]]:
    """Yield (share of the rows done, CSV bytes)."""
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    reader = _reader(file)
    names = reader.schema_arrow.names
    yield 0.0, (",".join('"' + name.replace('"', '""') + '"' for name in names) + "\n").encode()
    total = reader.metadata.num_rows or 1
    done = 0
    options = pa_csv.WriteOptions(include_header=False, quoting_style="needed")
    try:
        for batch in reader.iter_batches(batch_size=_ROWS_AT_ONCE):
            done += batch.num_rows
            sink = pa.BufferOutputStream()
            columns = [_as_text(file, name, column) for name, column in zip(names, batch.columns, strict=True)]
            pa_csv.write_csv(pa.record_batch(columns, names=names), sink, options)
            yield done / total, sink.getvalue().to_pybytes()
    except (pa.ArrowException, OSError) as error:
        raise InputRefused(file.name, "its data is damaged", "Get the file again.") from error


def _as_text(file: InputFile, name: str, column: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        return _as_text(file, name, column.dictionary_decode())
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise InputRefused(file.name, f"it is of the type {kind}, not text or a number", _CURE, None, name)
    if pa.types.is_boolean(kind):
        return pc.if_else(column, "Yes", "No")
    if pa.types.is_timestamp(kind):
        if kind.tz is not None:
            cure = "Write local times without one, as published."
            raise InputRefused(file.name, f"its times are of the time zone {kind.tz}", cure, None, name)
        seconds = column.cast(pa.timestamp("s"), safe=False)
        is_whole = pc.all(pc.equal(seconds.cast(kind), column)).as_py() is not False
        return pc.strftime(seconds if is_whole else column, "%Y-%m-%d %H:%M:%S")
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
        if pc.all(_are_whole(column)).as_py() is not False:  # else large ones would come in scientific notation
            return column.cast(pa.int64()).cast(pa.string())
    if pa.types.is_decimal(kind) and kind.scale > 2:  # else a zero would come as 0E-9
        with suppress(pa.ArrowInvalid):  # it has more decimals: not to be rounded here
            column = column.cast(pa.decimal128(38, 2))
    return column.cast(pa.string())


def _are_whole(column: pa.Array) -> pa.Array:
    """Tell which numbers have no decimals and are exact."""
    import pyarrow.compute as pc

    return pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), 2.0**53))
