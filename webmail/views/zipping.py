"""Stored files as one archive, made piece by piece while it is sent: neither it nor any file is ever whole in memory.

The standard library's zipfile writes to a stream that cannot be wound back (sizes follow each file), with ZIP64 where a
file or the archive is large.
"""

import zipfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from webmail import storage
from webmail.mime.filenames import unique_names

_PIECE = 256 * 1024
_LARGE = 2**31 - 2**20  # from here on sizes are written in 64 bits
# What shrinks; pictures, films, archives and office files are packed already.
_SHRINKS = frozenset(
    {"application/json", "application/xml", "application/rtf", "application/msword", "image/bmp", "image/svg+xml"}
    | {"application/vnd.ms-excel", "message/rfc822"}
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in storage; its name is as mail has it and is made safe and unique for the archive."""

    filename: str
    content_type: str
    account_id: int
    digest: str


class Zip:
    """The archive as a file to be read once. Raises FileNotFoundError where a file has left the storage."""

    def __init__(self, entries: Sequence[Entry], *, at: datetime) -> None:
        self._made = _make(entries, timezone.localtime(at))

    def read(self, size: int, /) -> bytes:
        """The next piece, of whatever length; b"" at the end."""
        return next(self._made, b"")

    def close(self) -> None:
        self._made.close()


class _Sink:
    """Where the archive is written to; it cannot be wound back, so that nothing needs to be kept."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _make(entries: Sequence[Entry], at: datetime) -> Generator[bytes, None, None]:
    sink = _Sink()
    # years that the format can name; a sender may claim any
    stamp = (min(max(at.year, 1980), 2107), at.month, at.day, at.hour, at.minute, at.second)
    with zipfile.ZipFile(sink, "w") as archive:
        for entry, name in zip(entries, unique_names(entry.filename for entry in entries), strict=True):
            info = zipfile.ZipInfo(name, stamp)
            shrinks = entry.content_type.startswith("text/") or entry.content_type in _SHRINKS
            info.compress_type = zipfile.ZIP_DEFLATED if shrinks else zipfile.ZIP_STORED
            info.external_attr = 0o600 << 16
            with storage.open_file(entry.account_id, entry.digest) as file:
                large = file.size >= _LARGE
                with archive.open(info, "w", force_zip64=large) as target:
                    while piece := file.read(_PIECE):
                        target.write(piece)
                        if made := sink.take():
                            yield made
    yield sink.take()
