"""Bytes in, whole responses out (RFC 9051 section 4.3 and the `response` rule of section 9). No I/O.

Invariants: a response is handed out exactly once, whole, wherever the network cut it; a `{n}` counts as a literal only
where data may stand, so the free text of a status line cannot swallow what follows; nothing is searched or copied
twice, so time is linear in the bytes and memory is one response plus one read.
"""

from __future__ import annotations

import re

from webmail.protocols.errors import ProtocolViolation
from webmail.protocols.imap_wire.limits import HEADERS, Limits

_DATA = re.compile(rb"\* (?!(?:OK|NO|BAD|BYE|PREAUTH)(?: |\Z))", re.IGNORECASE)


class Response:
    """One response without its final CRLF: text, literal, text, literal, ..., text.

    `oversize` says that at least one literal was longer than wanted; it stands here as empty.
    """

    __slots__ = ("chunks", "oversize")

    def __init__(self, chunks: list[bytes], oversize: bool) -> None:
        self.chunks = chunks
        self.oversize = oversize


class Scanner:
    """Feed it what the socket gives; take responses until it returns None. Raises ProtocolViolation past a limit."""

    __slots__ = ("_buffer", "_chunks", "_kept", "_missing", "_oversize", "_partial", "_position", "_text", "limits")

    def __init__(self, limits: Limits = HEADERS) -> None:
        self.limits = limits
        self._buffer = b""
        self._position = 0
        self._partial = bytearray()  # the beginning of the line or literal that the buffer continues
        self._missing = -1  # bytes of the literal still to come; -1 outside of one
        self._chunks: list[bytes] = []  # of the response under way, with the sizes of its text and its literals:
        self._text = 0
        self._kept = 0
        self._oversize = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the connection."""
        rest = self._buffer[self._position :]
        self._buffer = rest + data if rest else data
        self._position = 0

    def leftover(self) -> bytes:
        """What was fed and belongs to no response handed out yet. Only sensible between responses."""
        if self._chunks or self._missing >= 0:
            raise ProtocolViolation("the server is in the middle of a response")
        return bytes(self._partial) + self._buffer[self._position :]

    def next(self) -> Response | None:
        """The next whole response, or None when more bytes are needed."""
        while True:
            if self._missing >= 0 and not self._take_literal():
                return None
            text = self._take_line()
            if text is None:
                return None
            chunks = self._chunks
            chunks.append(text)
            if text[-1:] == b"}" and self._opens_literal(text):
                continue
            response = Response(chunks, self._oversize)
            self._chunks, self._text, self._kept, self._oversize = [], 0, 0, False
            return response

    def _take_line(self) -> bytes | None:
        buffer, position = self._buffer, self._position
        end = buffer.find(b"\r\n", position)
        if end < 0:
            # A trailing CR stays behind: its LF may be the next byte to arrive.
            cut = len(buffer) - buffer.endswith(b"\r", position)
            if cut > position:
                self._partial += buffer[position:cut]
                self._position = cut
                self._check_text(len(self._partial))
            return None
        text = buffer[position:end]
        self._position = end + 2
        if self._partial:
            text = self._joined(text)
        self._check_text(len(text))
        return text

    def _joined(self, rest: bytes) -> bytes:
        self._partial += rest
        whole = bytes(self._partial)
        self._partial = bytearray()
        return whole

    def _check_text(self, size: int) -> None:
        if self._text + size > self.limits.line:
            raise ProtocolViolation("the server sent a line longer than we take")

    def _opens_literal(self, text: bytes) -> bool:
        brace = text.rfind(b"{")
        digits = text[brace + 1 : -1].removesuffix(b"+")
        if brace < 0 or not digits.isdigit() or not _DATA.match(self._chunks[0]):
            return False
        size = int(digits) if len(digits) <= 19 else self.limits.literal + 1
        if size > self.limits.literal:
            raise ProtocolViolation("the server announced more data than we take")
        if len(self._chunks) > 2 * self.limits.literals_per_response:
            raise ProtocolViolation("the server sent a response of too many pieces")
        self._text += len(text)
        self._kept += size
        self._oversize = self._oversize or self._kept > self.limits.kept
        self._missing = size
        return True

    def _take_literal(self) -> bool:
        buffer, position = self._buffer, self._position
        here = len(buffer) - position
        if here < self._missing:
            if not self._oversize:
                self._partial += buffer[position:]
            self._buffer, self._position = b"", 0
            self._missing -= here
            return False
        end = position + self._missing
        literal = b"" if self._oversize else buffer[position:end]
        self._chunks.append(self._joined(literal) if self._partial else literal)
        self._position = end
        self._missing = -1
        return True
