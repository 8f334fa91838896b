"""Content-Transfer-Encodings undone piece by piece, for attachments of any size. Pure; RFC 2045 section 6.

Invariants: memory is one piece; the joined output equals ``mime.transfer.decode_transfer`` of the joined input for
well-formed input; nothing raises.
"""

import re
from collections.abc import Callable

from webmail.mime.transfer import decode_base64, decode_quoted_printable, uu_line, yenc_octets

LONGEST_LINE = 1 << 20
_UU_BEGIN = re.compile(rb"begin(-base64)? [0-7]{3,4} ")


class Decoder:
    """Feed encoded pieces to ``write``; call ``finish`` once. Decoded octets go to ``sink``."""

    def __init__(self, encoding: str, sink: Callable[[bytes], object]) -> None:
        name = encoding.strip().lower()
        name = "base64" if "base64" in name else "quoted" if "quoted" in name else name
        self._sink = sink
        self._held = b""
        self._cut, self._decode = _HOW[name]() if name in _HOW else (_all, bytes)

    def write(self, piece: bytes) -> None:
        ready, self._held = self._cut(self._held + piece)
        self._pass(ready)

    def finish(self) -> None:
        self._pass(self._held)
        self._held = b""

    def _pass(self, data: bytes) -> None:
        if data and (decoded := self._decode(data)):
            self._sink(decoded)


class _Uuencoded:
    """Line by line from ``begin`` (or from the start, when there is none) to ``end``."""

    def __init__(self) -> None:
        self._ended = self._base64 = False

    def decode(self, lines: bytes) -> bytes:
        out: list[bytes] = []
        for line in lines.split(b"\n"):
            bare = line.rstrip(b"\r")
            if self._ended:
                break
            if begin := _UU_BEGIN.match(bare):
                out.clear()  # whatever came before it was no part of the file
                self._base64 = begin[1] is not None
            elif bare in (b"end", b"===="):
                self._ended = True
            elif bare:
                out.append(decode_base64(bare) if self._base64 else uu_line(bare))
        return b"".join(out)


class _Yenc:
    """The letters between ``=ybegin`` and ``=yend``."""

    def __init__(self) -> None:
        self._ended = False

    def decode(self, lines: bytes) -> bytes:
        letters = []
        for line in lines.split(b"\n"):
            if line.startswith(b"=yend"):
                self._ended = True
            elif not self._ended and not line.startswith((b"=ybegin ", b"=ypart ")):
                letters.append(line.rstrip(b"\r"))
        return yenc_octets(b"".join(letters))


def _all(data: bytes) -> tuple[bytes, bytes]:
    return data, b""


def _quads(data: bytes) -> tuple[bytes, bytes]:
    """Whole groups of four letters; line ends do not count."""
    clean = b"".join(data.split())
    end = len(clean) - len(clean) % 4
    return clean[:end], clean[end:]


def _lines(data: bytes) -> tuple[bytes, bytes]:
    """Whole lines; a line without end is passed on all the same, but not in the middle of an escape."""
    end = data.rfind(b"\n") + 1
    if not end and len(data) > LONGEST_LINE:
        end = len(data) - 3
        escape = data.rfind(b"=", end - 2, end)
        end = escape if escape >= 0 else end
    return data[:end], data[end:]


Cut = Callable[[bytes], tuple[bytes, bytes]]  # what can be decoded now, and what waits for more
Decode = Callable[[bytes], bytes]


def _uu() -> tuple[Cut, Decode]:
    return _lines, _Uuencoded().decode


def _yenc() -> tuple[Cut, Decode]:
    return _lines, _Yenc().decode


_HOW: dict[str, Callable[[], tuple[Cut, Decode]]] = {
    "base64": lambda: (_quads, decode_base64),
    "quoted": lambda: (_lines, decode_quoted_printable),
    **dict.fromkeys(("x-uuencode", "uuencode", "x-uue", "uue"), _uu),
    **dict.fromkeys(("x-yenc", "yenc"), _yenc),
}
