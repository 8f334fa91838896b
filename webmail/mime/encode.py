"""Values to header lines and bodies to lines (RFC 5322 section 2.2.3, 2047, 2231, 2045). Used by `build` only.

Invariants: every line ends in CRLF, is at most 78 octets where it can be folded and never more than 998; nothing with
CR, LF or NUL gets through (`check` raises ValueError naming the field).
"""

import binascii
import re
import struct
from collections.abc import Iterable, Iterator
from typing import Final

from webmail.mime.addresses import Address, format_phrase

CRLF: Final = b"\r\n"
FOLD = 78
LIMIT = 998
_BREAK: Final = re.compile("[\r\n\0]")
_CONTROL: Final = re.compile("[\x01-\x1f\x7f]")
_Q_SAFE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_WORD_ROOM = 63  # encoded characters in a word of 75: "=?utf-8?q?" and "?=" take twelve
_B_ROOM = 45  # octets of which base64 makes sixty characters
_ADDR_SPEC: Final = re.compile(
    r'(?P<local>"(?:[^"\\]|\\.){0,300}+"|[^\s<>()\[\],;:\\"@]{1,300})@(?P<domain>[^\s<>()\[\],;:\\"@]{1,253}|\[[^\s\[\]\\]{1,100}\])'
)
_ATTRIBUTE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SEGMENT = 60


def check(field: str, value: str) -> str:
    """`value`, unless it could end the header line it goes into (security S25)."""
    if _BREAK.search(value):
        raise ValueError(f"{field} must not contain line breaks or NUL characters")
    return _CONTROL.sub(" ", value)


# --- header lines ----------------------------------------------------------------------------------------------------


def header(name: str, tokens: Iterable[str]) -> bytes:
    """A folded header field. A line may be broken before each token; tokens bring their own leading blank."""
    lines = [name + ":"]
    for token in tokens:
        foldable = token.startswith(" ") and lines[-1] != name + ":"
        if foldable and len((lines[-1] + token).encode("utf-8", "replace")) > FOLD:
            lines.append(token)
        else:
            lines[-1] += token
    encoded = [line.encode("utf-8", "replace") for line in lines]
    if any(len(line) > LIMIT for line in encoded):
        raise ValueError(f"{name} holds a word too long for a mail header")
    return b"\r\n".join(encoded) + CRLF


def unstructured(name: str, value: str) -> bytes:
    """A field of free text such as Subject."""
    value = check(name, value)
    if _plain(value):
        return header(name, re.findall(r" [^ ]*", " " + value) if value.strip() else [" "])
    return header(name, (" " + word for word in encoded_words(value)))


def _plain(value: str) -> bool:
    return (
        value.isascii()
        and "=?" not in value
        and all(len(word) < 900 for word in value.split(" "))
        and (value.strip() == value and "  " not in value)
    )


def encoded_words(value: str) -> list[str]:
    """RFC 2047 words for `value`, none splitting a character; B for mostly foreign text, Q for the rest."""
    foreign = sum(char > "\x7f" for char in value)
    chunks = _unpadded(value) if foreign * 3 > len(value) else None
    if chunks is not None:
        return [f"=?utf-8?b?{_b_encode(chunk)}?=" for chunk in chunks]
    words: list[str] = []
    chunk = ""
    for char in value:
        if chunk and len(_q_encode(chunk + char)) > _WORD_ROOM:
            words.append(chunk)
            chunk = ""
        chunk += char
    return [f"=?utf-8?q?{_q_encode(part)}?=" for part in [*words, chunk]]


def _unpadded(value: str) -> list[str] | None:
    """The text cut so that no word but the last needs padding in base64; None where that cannot be.

    Some readers, GMime among them, join adjacent words before they decode them, and end at the padding.
    """
    chunks: list[str] = []
    while value:
        octets = fits = 0
        for index, char in enumerate(value, start=1):
            octets += len(char.encode("utf-8", "replace"))
            if octets > _B_ROOM:
                break
            fits = index if octets % 3 == 0 or index == len(value) else fits
        if not fits:
            return None
        chunks.append(value[:fits])
        value = value[fits:]
    return chunks


def _q_encode(text: str) -> str:
    octets = text.encode("utf-8", "replace")
    return "".join(chr(o) if o in _Q_SAFE else "_" if o == 0x20 else f"={o:02X}" for o in octets)


def _b_encode(text: str) -> str:
    return binascii.b2a_base64(text.encode("utf-8", "replace"), newline=False).decode("ascii")


def addresses(name: str, values: Iterable[Address]) -> bytes:
    """An address list field, broken after commas first."""
    tokens: list[str] = []
    for value in values:
        if tokens:
            tokens[-1] += ","
        spec = addr_spec(name, value.addr_spec)
        phrase = check(name, value.name).strip()
        if not phrase:
            tokens.append(" " + spec)
        elif phrase.isascii() and "=?" not in phrase and len(phrase) < 500:
            tokens += [" " + format_phrase(phrase), f" <{spec}>"]
        else:
            tokens += [*(" " + word for word in encoded_words(phrase)), f" <{spec}>"]
    return header(name, tokens)


def addr_spec(field: str, value: str) -> str:
    """`value` with its domain in ASCII (IDNA), or ValueError when it is no address."""
    found = _ADDR_SPEC.fullmatch(check(field, value).strip())
    if found is None:
        raise ValueError(f"{field} holds something that is not a mail address")
    return f"{found['local']}@{ascii_domain(field, found['domain'])}"


def ascii_domain(field: str, domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError(f"{field} holds a domain that does not exist in this form") from None


def parameter(name: str, value: str) -> list[str]:
    """Tokens for a parameter: quoted where ASCII, else RFC 2231 segments and then an ASCII fallback.

    The fallback comes last, because readers that know both forms but take the first they see should see the true one.
    """
    fallback = _ascii_fallback(value)
    tokens = [f' {name}="{fallback}"']
    if fallback == value:
        return tokens
    segments = list(_percent_segments(value))
    if len(segments) == 1:
        return [f" {name}*=utf-8''{segments[0]}", *tokens]
    first, *rest = segments
    numbered = [f" {name}*{index}*={segment}" for index, segment in enumerate(rest, start=1)]
    return [f" {name}*0*=utf-8''{first}", *numbered, *tokens]


def _ascii_fallback(value: str) -> str:
    text = "".join(char if " " <= char < "\x7f" and char not in '"\\%' else "_" for char in value)
    if len(text) <= _SEGMENT:
        return text
    stem, dot, extension = text.rpartition(".")
    return (stem or text)[: _SEGMENT - 12] + (dot + extension[:10] if stem else "")


def _percent_segments(value: str) -> Iterator[str]:
    segment = ""
    for char in value:
        octets = char.encode("utf-8", "replace")
        encoded = "".join(chr(o) if o in _ATTRIBUTE else f"%{o:02X}" for o in octets)
        if segment and len(segment) + len(encoded) > _SEGMENT:
            yield segment
            segment = ""
        segment += encoded
    yield segment


def parameterised(name: str, head: str, parameters: Iterable[str]) -> bytes:
    """A field such as Content-Type: the head and parameter tokens."""
    tokens = [" " + head, *parameters]
    return header(name, [*(token + ";" for token in tokens[:-1]), tokens[-1]])


# --- bodies ----------------------------------------------------------------------------------------------------------


def crlf(text: str) -> bytes:
    """`text` as UTF-8 with CRLF line ends, ending in one; NUL and lone surrogates become `?`."""
    octets = text.replace("\0", "?").encode("utf-8", "replace")
    octets = octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return octets.rstrip(b"\n").replace(b"\n", CRLF) + CRLF


def encode_text(octets: bytes) -> tuple[str, bytes]:
    """The transfer encoding that suits CRLF text, and the text in it."""
    if _fits_7bit(octets):
        return "7bit", octets
    high = sum(octets.count(byte) for byte in range(0x80, 0x100))
    if high * 3 > len(octets):
        return "base64", b"".join(base64_lines([octets]))
    quoted = binascii.b2a_qp(octets, istext=True).replace(b"\r\nFrom ", b"\r\n=46rom ")
    return "quoted-printable", b"=46" + quoted[1:] if quoted.startswith(b"From ") else quoted


def _fits_7bit(octets: bytes) -> bool:
    if not octets.isascii() or octets.startswith(b"From ") or b"\nFrom " in octets:
        return False
    if octets.translate(None, b"\t\r\n" + bytes(range(0x20, 0x7F))):
        return False
    return all(len(line) <= LIMIT for line in octets.split(CRLF))


def base64_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Base64 in lines of 76, whatever sizes the chunks come in."""
    held = b""
    for chunk in chunks:
        data = held + chunk if held else chunk
        usable = len(data) - len(data) % 57
        held = data[usable:]
        if usable:
            yield _wrapped(data[:usable])
    if held:
        yield _wrapped(held)


def _wrapped(data: bytes) -> bytes:
    encoded = binascii.b2a_base64(data, newline=False)
    whole, left = divmod(len(encoded), 76)
    lines = struct.unpack("76s" * whole + f"{left}s", encoded)  # in C: a slice for each line takes thrice as long
    return CRLF.join(lines) + CRLF if left else CRLF.join(lines)
