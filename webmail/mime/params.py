"""Parameters of Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2183, RFC 2231) as found in the wild.

Invariants: never raises; linear; at most `MAX_PARAMETERS` parameters and `MAX_VALUE` characters of each are kept.
"""

import re
from collections.abc import Iterable
from typing import Final

from webmail.mime.charset import codec_of, decode_text
from webmail.mime.text import safe_line
from webmail.mime.words import decode_words

MAX_PARAMETERS = 500
MAX_VALUE = 4_000
_MAX_FIELD = 64 * 1024
_PARAMETER: Final = re.compile(r""";\s*+([^\s=;"]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^;]*+))""", re.DOTALL)
_ESCAPED: Final = re.compile(r'\\([\\"])')
_SEGMENT: Final = re.compile(r"([^*]+)(?:\*(\d{1,4}))?(\*)?")
_PERCENT: Final = re.compile(rb"%([0-9A-Fa-f]{2})")


def parse_parameterised(value: str) -> tuple[str, dict[str, str]]:
    """A field value such as `text/plain; charset="x"` as its lower-case head and its decoded parameters."""
    value = value[:_MAX_FIELD]
    head, semicolon, rest = value.partition(";")
    if not semicolon:
        if "=" not in head:
            return head.strip().lower(), {}
        head, _, rest = head.strip().partition(" ")  # "text/plain charset=utf-8"
    pairs: list[tuple[str, str]] = []
    for found in _PARAMETER.finditer(";" + rest):
        quoted = found[2]
        text = _ESCAPED.sub(r"\1", quoted) if quoted is not None else found[3].strip().strip('"')
        pairs.append((found[1], text))
        if len(pairs) >= MAX_PARAMETERS:
            break
    return head.strip().lower(), decode_parameters(pairs)


def decode_parameters(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Parameters by lower-case name, RFC 2231 segments joined and decoded, then RFC 2047 words.

    Of two of a name the first wins, but an extended value beats a plain one. Missing first segments, unordered ones,
    plain and extended ones mixed, and an empty charset are all accepted.
    """
    plain: dict[str, str] = {}
    segmented: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, value in pairs:
        shape = _SEGMENT.fullmatch(name.strip().lower())
        if shape is None:
            continue
        base, index, extended = shape[1], shape[2], bool(shape[3])
        if index is None and not extended:
            plain.setdefault(base, value[:MAX_VALUE])
        else:
            segmented.setdefault(base, {}).setdefault(int(index or 0), (value, extended))
    result = {base: safe_line(decode_words(value)) for base, value in plain.items()}
    for base, segments in segmented.items():
        joined = safe_line(_join_segments(segments))
        if joined:
            result[base] = joined
    return result


def _join_segments(segments: dict[int, tuple[str, bool]]) -> str:
    charset, data, length = "", [], 0
    for position, index in enumerate(sorted(segments)):
        value, extended = segments[index]
        if extended and position == 0 and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        octets = value.encode("utf-8", "replace")
        data.append(_PERCENT.sub(_octet, octets) if extended else octets)
        length += len(value)
        if length > MAX_VALUE:
            break
    text = decode_text(b"".join(data), charset if codec_of(charset) else None)
    return decode_words(text)


def _octet(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 16)])
