"""Owns the identity of a file: the SHA-256 of its bytes, whether the same bytes have landed, and what is noted if so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.queries import scalar
from loaders import manifest, removal
from loaders.checksums import Checksums
from loaders.errors import InputRefused
from loaders.inputs import InputFile
from loaders.manifest import LandedFile
from loaders.reporting import Action, FileOutcome
from loaders.sources import Source

if TYPE_CHECKING:
    from psycopg2.extensions import cursor


def same_bytes(
    cur: cursor, file: InputFile, relation: str, earlier: LandedFile | None, checksums: Checksums
) -> LandedFile | None:
    """Return the landed file with the same bytes, None if there is none or only reading the file through can tell."""
    if earlier is not None:
        if file.packing != "plain":
            return earlier if earlier.packed_sha256 == packed_sha256(file, checksums) else None
        return earlier if earlier.bytes == file.size and earlier.sha256 == _sha256(file, checksums) else None
    if file.packing != "plain":
        return None
    of_that_size = "SELECT EXISTS (SELECT FROM ops.load_files WHERE relation = %s AND bytes = %s)"
    if scalar(cur, of_that_size, (relation, file.size)):
        return manifest.landed_bytes(cur, relation, _sha256(file, checksums))
    return None


def take_as_known(
    cur: cursor,
    file: InputFile,
    source: Source,
    same: LandedFile,
    earlier: LandedFile | None,
    checksums: Checksums,
) -> FileOutcome:
    """Note a file whose bytes have landed; the rows that its name had before go, unless another name has them too."""
    is_same = earlier is not None and earlier.file_id == same.file_id
    action: Action = "unchanged" if is_same else "duplicate"
    if not is_same:
        if earlier is not None and manifest.take_name(cur, earlier.file_id, file.name) is None:
            action = "replaced"
            removal.remove(cur, source, earlier.file_id, action)
        packed = packed_sha256(file, checksums)
        manifest.add_name(cur, same.file_id, source.relation, file.name, packed, file.size)
    return FileOutcome(
        name=file.name,
        relation=source.relation,
        action=action,
        file_id=same.file_id,
        rows_read=same.rows_read,
        rows_loaded=same.rows_loaded,
        rows_rejected=same.rows_rejected,
        note="" if is_same else f"the same bytes have landed as {same.name}",
    )


def packed_sha256(file: InputFile, checksums: Checksums) -> str | None:
    """Return the SHA-256 of a packed file as it is on disk, None for a plain one."""
    return None if file.packing == "plain" else _sha256(file, checksums)


def _sha256(file: InputFile, checksums: Checksums) -> str:
    """Return the SHA-256 of the file as it is on disk, packed or not."""
    try:
        return checksums.of(file.path)
    except OSError as error:
        raise InputRefused(
            file.name, f"it cannot be read ({error.strerror})", "Check that it is still there."
        ) from error
