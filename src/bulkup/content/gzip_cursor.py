"""Positions in a compressed archive: read forwards, and return near to any place that was passed.

A gzip file (RFC 1952) can only be inflated from its start. While it is read for the first time, the
state of the inflater is kept every some MiB, so that later readers start near to what they want.
"""

from __future__ import annotations

import zlib
from typing import BinaryIO, Final, NamedTuple

from bulkup.content.zip_stream import is_bomb
from bulkup.errors import SourceInvalid

INPUT_BYTES: Final = 1 << 16
STEP_BYTES: Final = 1 << 18
"""Inflated at once, at most."""

CHECKPOINT_BYTES: Final = 16 << 20
"""The first distance between two checkpoints: inflating it takes 50 ms."""

MOST_CHECKPOINTS: Final = 128
"""Each is some 45 KB. Where there are more, every second one goes and the distance doubles."""

_GZIP: Final = 16 + zlib.MAX_WBITS


class Checkpoint(NamedTuple):
    """A state to continue from."""

    position: int  # in the inflated bytes
    packed_position: int  # in the file
    inflater: zlib._Decompress


class Cursor:
    """A place in the inflated bytes of a gzip file. Owns the file. One thread at a time.

    All methods raise SourceInvalid for damage and for bombs, and OSError.
    """

    def __init__(self, file: BinaryIO, start: Checkpoint | None = None) -> None:
        self._file = file
        self._waiting = b""  # packed bytes that were read and not inflated
        self._packed_position = 0 if start is None else start.packed_position
        self._inflater = zlib.decompressobj(_GZIP) if start is None else start.inflater.copy()
        self._rest = b""  # inflated and not returned
        self._inflated = 0 if start is None else start.position
        self._begins_member = False
        self.is_at_end = False
        file.seek(self._packed_position)

    @property
    def position(self) -> int:
        """How many inflated bytes come before what `read` returns next."""
        return self._inflated - len(self._rest)

    def read(self, most: int) -> bytes:
        """The next bytes, 1 to `most` of them; none at the end."""
        if not self._rest:
            self._rest = self._step()
        data, self._rest = self._rest[:most], self._rest[most:]
        return data

    def skip_to(self, position: int) -> None:
        """Move forwards. Raises SourceInvalid when the bytes end before."""
        while (left := position - self.position) > 0:
            if not self.read(left):
                raise SourceInvalid("the archive ends before its last member does")

    def checkpoint(self) -> Checkpoint | None:
        """The state here; None where it cannot be kept: then soon."""
        if self._rest or self._waiting or self.is_at_end or self._begins_member:
            return None
        return Checkpoint(self.position, self._packed_position, self._inflater.copy())

    def close(self) -> None:
        """Close the file; `resume` with another one continues here."""
        self._file.close()

    def resume(self, file: BinaryIO) -> None:
        """Own `file`, which has the same bytes as the one before."""
        self._file = file
        file.seek(self._packed_position)

    def fileno(self) -> int:
        return self._file.fileno()

    def _step(self) -> bytes:
        while not self.is_at_end:
            if self._inflater.eof:  # another gzip member may follow, as pigz and `cat` make them
                self._waiting = self._inflater.unused_data
                self._inflater = zlib.decompressobj(_GZIP)
                self._begins_member = True
            packed = self._waiting or self._file.read(INPUT_BYTES)
            if not self._waiting:
                self._packed_position += len(packed)
            if self._begins_member and not packed.strip(b"\0"):  # the end, or padding of a tape
                self._waiting = b""
                self.is_at_end = not packed
                continue
            if not packed:
                raise SourceInvalid("the archive ends in the middle of its compressed data")
            self._begins_member = False
            try:
                data = self._inflater.decompress(packed, STEP_BYTES)
            except zlib.error as error:
                raise SourceInvalid(f"broken archive: {error}") from error
            self._waiting = self._inflater.unconsumed_tail
            self._inflated += len(data)
            if is_bomb(self._packed_position, self._inflated):
                raise SourceInvalid(
                    f"decompression bomb: {self._packed_position} bytes inflate to "
                    f"{self._inflated} and more"
                )
            if data:
                return data
        return b""


class Checkpoints:
    """The checkpoints of one archive, evenly spread, a bounded number of them."""

    def __init__(self) -> None:
        self._kept: list[Checkpoint] = []
        self._distance = CHECKPOINT_BYTES

    def offer(self, cursor: Cursor) -> None:
        """Keep the cursor's state if it is far enough from the last one."""
        last = self._kept[-1].position if self._kept else 0
        if cursor.position < last + self._distance:
            return
        state = cursor.checkpoint()
        if state is not None:
            self._kept.append(state)
        if len(self._kept) > MOST_CHECKPOINTS:
            self._kept = self._kept[1::2]
            self._distance *= 2

    def before(self, position: int) -> Checkpoint | None:
        """The last one at or before `position`; None for the start of the file."""
        return next((one for one in reversed(self._kept) if one.position <= position), None)
