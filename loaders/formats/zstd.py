"""Owns unpacking zstd so that a truncated file is noticed and memory stays small whatever size the file claims."""

from __future__ import annotations

from typing import IO

import zstandard

ZstdError: type[Exception] = zstandard.ZstdError

_PIECE = 1024  # a block of 4 packed bytes can unpack to 128 KiB: this bounds one step to 32 MiB
_LARGEST_WINDOW = 1 << 27


class ZstdReader:
    """Reads the frames of a zstd file one after the other."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._unpacker = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
        self._frame = self._unpacker.decompressobj()
        self._frame_begun = False
        self._ready = bytearray()
        self._packed = b""

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most `size`; empty at the end.

        Raises:
            EOFError: the file ends in the middle of a frame.
        """
        while len(self._ready) < size:
            self._packed = self._packed or self._raw.read(_PIECE)
            if not self._packed:
                if self._frame_begun:
                    raise EOFError("the last frame is not complete")
                break
            self._ready += self._frame.decompress(self._packed)
            self._frame_begun = not self._frame.eof
            self._packed = b""
            if self._frame.eof:
                self._packed = self._frame.unused_data
                self._frame = self._unpacker.decompressobj()
        taken = bytes(self._ready[:size])
        del self._ready[:size]
        return taken
