"""A seekable file over ranged reads: small ones first, doubling while a parser reads on."""

import io
from collections import OrderedDict
from typing import Protocol

FIRST_READ = 64 << 10
LARGEST_READ = 4 << 20
KEPT_BYTES = 16 << 20


class ByteSource(Protocol):
    """Something that gives bytes by range."""

    def read(self, start: int, length: int) -> bytes:
        """`length` bytes from `start`, all of them within the source."""


class RangedFile(io.RawIOBase):
    """The file that parsers read. Fetched ranges are kept, up to `KEPT_BYTES`.

    A fetch takes `FIRST_READ` bytes, doubled up to `LARGEST_READ` while reading continues where the last fetch ended:
    a parser that jumps from box to box fetches little, one that reads a long index needs few requests.
    """

    def __init__(self, source: ByteSource, size: int) -> None:
        super().__init__()
        self._source = source
        self._size = size
        self._position = 0
        self._next_fetch = FIRST_READ
        self._fetched_to = -1
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        wanted = self._size - self._position if size is None or size < 0 else size
        data = self.at(self._position, wanted)
        self._position += len(data)
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # what RawIOBase calls
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def at(self, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start`; the position does not move."""
        stop = min(start + length, self._size)
        parts = []
        while start < stop:
            found = self._kept(start)
            if found is None:
                # Not kept: fetched, with what is read ahead.
                block_start, block = start, self._fetch(start, stop - start)
            else:
                block_start, block = found
            part = block[start - block_start : stop - block_start]
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def forget(self) -> None:
        """Drop everything that was fetched."""
        self._blocks.clear()

    def _kept(self, position: int) -> tuple[int, bytes] | None:
        for start, block in self._blocks.items():
            if start <= position < start + len(block):
                self._blocks.move_to_end(start)
                return start, block
        return None

    def _fetch(self, start: int, wanted: int) -> bytes:
        self._next_fetch = min(self._next_fetch * 2, LARGEST_READ) if start == self._fetched_to else FIRST_READ
        length = min(max(self._next_fetch, min(wanted, LARGEST_READ)), self._size - start)
        block = self._source.read(start, length)
        if len(block) != length:
            raise EOFError(f"the source ended before {start + length}")
        self._fetched_to = start + length
        self._blocks[start] = block
        while sum(map(len, self._blocks.values())) > KEPT_BYTES and len(self._blocks) > 1:
            self._blocks.popitem(last=False)
        return block


class HeldFile(RangedFile):
    """A file held in memory, so that a walk along all of its parts fetches each of them once."""

    def __init__(self, data: bytes) -> None:
        super().__init__(_Held(data), len(data))
        self._data = data

    def at(self, start: int, length: int) -> bytes:
        return self._data[start : start + length]


def held(file: RangedFile, size: int) -> HeldFile:
    """Read the whole file into memory; what `file` kept is dropped."""
    data = file.at(0, size)
    file.forget()
    return HeldFile(data)


class _Held:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, start: int, length: int) -> bytes:
        return self._data[start : start + length]
