"""Multi-line bodies that end in a line of one dot: stuffing for SMTP, unstuffing for POP3, in constant memory.

Invariants: what comes out of the Unstuffer are the sender's bytes; what `stuffed_pieces` gives holds no line end but
CRLF and no line that is a lone dot. RFC 5321 section 4.5.2, RFC 1939 section 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

CHUNK = 65536


class Unstuffer:
    """Takes a multi-line body in any pieces; gives its bytes without dot-stuffing, and knows where it ends.

    Only CRLF ends a line: a bare CR or LF is content, so a dot after it is content too. What can still become part
    of a terminator or of a stuffed dot (at most four bytes) is held back.
    """

    def __init__(self) -> None:
        self._held = b"\r\n"  # as if a line had just ended: the body may begin with a dot
        self._skip = 2
        self.rest: bytes | None = None

    def feed(self, chunk: bytes) -> bytes:
        data = self._held + chunk
        end = data.find(b"\r\n.\r\n")
        if end >= 0:
            self.rest = data[end + 5 :]
            cut = end + 2
        else:
            cut = data.find(b"\r", max(len(data) - 4, 0))
            cut = len(data) if cut < 0 else cut
            self._held = data[cut:]
        ready = data[:cut].replace(b"\r\n..", b"\r\n.")
        out, self._skip = ready[self._skip :], max(self._skip - len(ready), 0)
        return out


def stuffed_pieces(data: BinaryIO, size: int) -> Iterator[bytes]:
    """The message in pieces: lines end in CRLF, dots are stuffed, the last line end is left to the terminator.

    Bare CR and bare LF become CRLF, so that no server sees another end of the data than we do. Constant memory.
    Raises ValueError when `data` does not hold `size` bytes.
    """
    total, half, line_end, skip = 0, b"", b"\r\n", 2  # as if a line had just ended: a dot may come first
    while chunk := data.read(CHUNK):
        total += len(chunk)
        chunk = half + chunk
        half = b"\r" if chunk.endswith(b"\r") else b""  # a CR at the end may be half of a CRLF
        piece = _stuffed(line_end, chunk.removesuffix(b"\r"))
        line_end = b"\r\n" if piece.endswith(b"\r\n") else b""
        piece = piece.removesuffix(b"\r\n")
        yield piece[skip:]
        skip = max(skip - len(piece), 0)
    if half and line_end and not skip:
        yield line_end
    if total != size:
        raise ValueError("the stored message is not of the stated size")


def _stuffed(line_end: bytes, text: bytes) -> bytes:
    lines = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return (line_end + lines).replace(b"\r\n.", b"\r\n..")
