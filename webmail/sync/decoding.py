"""Content-Transfer-Encodings undone piece by piece, for attachments of any size. Pure; RFC 2045 section 6.

Invariants: memory is one piece; the joined output equals ``mime.transfer.decode_transfer`` of the joined input for
well-formed base64 and quoted-printable; nothing raises.
"""

from collections.abc import Callable

from webmail.mime.transfer import decode_base64, decode_quoted_printable, decode_transfer

LONGEST_LINE = 1 << 20
_WHOLE = ("x-uuencode", "uuencode", "x-uue", "uue", "x-yenc", "yenc")


class Decoder:
    """Feed encoded pieces to ``write``; call ``finish`` once. Decoded octets go to ``sink``."""

    def __init__(self, encoding: str, sink: Callable[[bytes], object]) -> None:
        name = encoding.strip().lower()
        self._sink = sink
        self._held = b""
        self._name = name
        self._cut = _CUTS.get("base64" if "base64" in name else "quoted" if "quoted" in name else name, _all)

    def write(self, piece: bytes) -> None:
        data = self._held + piece
        ready, self._held = self._cut(data)
        self._pass(ready)

    def finish(self) -> None:
        self._pass(self._held)
        self._held = b""

    def _pass(self, data: bytes) -> None:
        if not data:
            return
        if "base64" in self._name:
            self._sink(decode_base64(data))
        elif "quoted" in self._name:
            self._sink(decode_quoted_printable(data))
        else:
            self._sink(decode_transfer(data, self._name))


def _all(data: bytes) -> tuple[bytes, bytes]:
    return data, b""


def _none(data: bytes) -> tuple[bytes, bytes]:
    return b"", data


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


_CUTS: dict[str, Callable[[bytes], tuple[bytes, bytes]]] = {
    "base64": _quads,
    "quoted": _lines,
    **dict.fromkeys(_WHOLE, _none),
}
