"""Content-Transfer-Encodings, undone tolerantly (RFC 2045 section 6, uuencode and yEnc as found in the wild).

Invariants: no function raises; each is linear in its input; an encoding nobody knows leaves the bytes as they are.
"""

import binascii
import re
from typing import Final

_NOT_BASE64: Final = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_BASE64_REST: Final = re.compile(rb"[A-Za-z0-9+/=\s]*")
_MAX_RUNS = 20_000  # padded runs in one text
_SPACES: Final = b" \t\r\n\v\f\0"
_PLAIN: Final = frozenset({"", "7bit", "8bit", "binary"})
_UU_BEGIN: Final = re.compile(rb"^begin(?:-base64)? [0-7]{3,4} [^\r\n]*\r?\n", re.MULTILINE)
_YENC_BEGIN: Final = re.compile(rb"^=ybegin [^\r\n]*\r?\n(?:=ypart [^\r\n]*\r?\n)?", re.MULTILINE)


def decode_transfer(data: bytes, encoding: str) -> bytes:
    """`data` without its transfer encoding. Unknown encodings, and base64 that plainly is not, come back unchanged."""
    name = encoding.strip().lower()
    if name in _PLAIN:
        return data
    if "quoted" in name or name in ("qp", "q"):
        return decode_quoted_printable(data)
    if "base64" in name or name in ("b", "b64"):
        return data if _is_prose(data) else decode_base64(data)
    if name in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return decode_uuencode(data)
    return decode_yenc(data) if name in ("x-yenc", "yenc") else data


def decode_base64(data: bytes) -> bytes:
    """Base64 with stray bytes skipped, padding supplied, several padded runs joined and plain text after it dropped."""
    first, pad, rest = data.partition(b"=")
    if not pad:
        return _base64_run(data)
    if not _BASE64_REST.fullmatch(rest):  # a list footer glued on behind the encoded text
        return _base64_run(first)
    runs = [run for run in rest.split(b"=", _MAX_RUNS) if run]
    return b"".join(map(_base64_run, [first, *runs]))


def _base64_run(run: bytes) -> bytes:
    clean = run.translate(None, _NOT_BASE64)  # also of padding, of which more runs than are told apart still hold some
    spare = len(clean) % 4
    if spare == 1:  # six bits are no byte: the run was cut
        clean, spare = clean[:-1], 0
    return binascii.a2b_base64(clean + b"=" * (-spare % 4))


def _is_prose(data: bytes) -> bool:
    """Whether something labelled base64 is text somebody forgot to encode."""
    head = data[:4096].partition(b"=")[0]
    letters = head.translate(None, _SPACES)
    foreign = len(letters) - len(letters.translate(None, _NOT_BASE64))
    inner_spaces = sum(line.strip().count(b" ") for line in head.splitlines())
    return (foreign + inner_spaces) * 20 > len(letters) > 0


def decode_quoted_printable(data: bytes) -> bytes:
    """Quoted-printable; a lone `=` stays, blanks at a line's end (added on the way) go."""
    if b" \n" in data or b" \r\n" in data or b"\t\n" in data or b"\t\r\n" in data:
        data = b"\n".join(_without_trailing_blanks(line) for line in data.split(b"\n"))
    return binascii.a2b_qp(data)


def _without_trailing_blanks(line: bytes) -> bytes:
    return line[:-1].rstrip(b" \t") + b"\r" if line.endswith(b"\r") else line.rstrip(b" \t")


def decode_uuencode(data: bytes) -> bytes:
    """The first file of a uuencoded text, with or without its `begin` line; broken lines are repaired or skipped."""
    begin = _UU_BEGIN.search(data)
    if begin and begin[0].startswith(b"begin-base64"):
        return decode_base64(data[begin.end() :].partition(b"====")[0])
    out: list[bytes] = []
    for line in data[begin.end() if begin else 0 :].split(b"\n"):
        bare = line.rstrip(b"\r")
        if bare == b"end":
            break
        if bare:
            out.append(uu_line(bare))
    return b"".join(out)


def uu_line(line: bytes) -> bytes:
    """One line of a uuencoded file, without its end; b"" when nothing can be made of it."""
    length = (line[0] - 32) & 63
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Some encoders pad lines wrongly: keep the characters that the length byte announces.
        needed = (length * 4 + 5) // 3 + 1
        try:
            return binascii.a2b_uu(line[:needed])
        except binascii.Error:
            return b""


def decode_yenc(data: bytes) -> bytes:
    """The content of one yEnc block (yEnc draft 1.3): minus 42, with `=` escaping minus 64 more."""
    begin = _YENC_BEGIN.search(data)
    start = begin.end() if begin else 0
    end = data.find(b"\n=yend", start - 1 if start else 0)
    body = data[start : end if end >= 0 else len(data)].translate(None, b"\r\n")
    return yenc_octets(body)


def yenc_octets(body: bytes) -> bytes:
    """yEnc letters without line ends, no escape cut in two."""
    head, *escaped = body.split(b"=")
    return head.translate(_YENC_SHIFT) + b"".join(
        bytes([(piece[0] - 106) & 255]) + piece[1:].translate(_YENC_SHIFT) for piece in escaped if piece
    )


_YENC_SHIFT: Final = bytes((byte - 42) & 255 for byte in range(256))
