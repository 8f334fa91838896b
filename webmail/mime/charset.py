"""Bytes of unknown honesty to text (RFC 2046 section 4.1.2, WHATWG encoding labels).

Invariants: nothing here raises for any input; the result holds no NUL and no lone surrogate, so Postgres and UTF-8
take it. A label is only ever looked up in a fixed table: it never reaches the codec registry, where `punycode`,
`idna` or `unicode_escape` would be slow or dangerous.
"""

import re
from encodings.aliases import aliases as _python_aliases
from typing import Final

from webmail.mime.transfer import decode_transfer

__all__ = ["codec_of", "decode_html", "decode_text", "decode_transfer", "guess_codec", "is_utf8", "storable"]

_CODEC_NAMES: Final = (
    "ascii big5 big5hkscs cp037 cp437 cp500 cp720 cp737 cp775 cp850 cp852 cp855 cp857 cp858 cp860 cp861 cp862 cp863 "
    "cp864 cp865 cp866 cp869 cp874 cp932 cp949 cp950 cp1006 cp1026 cp1125 cp1140 cp1250 cp1251 cp1252 cp1253 cp1254 "
    "cp1255 cp1256 cp1257 cp1258 euc_jis_2004 euc_jisx0213 euc_jp euc_kr gb18030 gb2312 gbk hp_roman8 hz iso2022_jp "
    "iso2022_jp_1 iso2022_jp_2 iso2022_jp_2004 iso2022_jp_3 iso2022_jp_ext iso2022_kr iso8859_1 iso8859_2 iso8859_3 "
    "iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_10 iso8859_11 iso8859_13 iso8859_14 "
    "iso8859_15 iso8859_16 johab koi8_r koi8_t koi8_u kz1048 latin_1 mac_croatian mac_cyrillic mac_farsi mac_greek "
    "mac_iceland mac_latin2 mac_roman mac_romanian mac_turkish ptcp154 shift_jis shift_jis_2004 shift_jisx0213 tis_620 "
    "utf_7 utf_8 utf_16 utf_16_be utf_16_le utf_32 utf_32_be utf_32_le"
)
_CODECS: Final = frozenset(_CODEC_NAMES.split())

# What a label means in practice: the superset that senders of the label really use.
_SUPERSETS: Final = {
    "latin_1": "cp1252",
    "iso8859_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "utf_8": "utf_8",
}

_EXTRA_ALIASES: Final = {
    "ansi": "cp1252", "ansix3.4-1968": "ascii", "usascii": "ascii", "7bit": "ascii", "8bit": "utf_8",
    "unicode11utf8": "utf_8", "xunicode20utf8": "utf_8", "utf8mb4": "utf_8", "utf8mb3": "utf_8", "cp65001": "utf_8",
    "unicode": "utf_8", "utf8n": "utf_8", "unicode11utf7": "utf_7", "xunicode20utf7": "utf_7", "iso10646ucs2": "utf_16",
    "ucs2": "utf_16", "ucs4": "utf_32", "xsjis": "cp932", "mssjis": "cp932", "windows31j": "cp932", "xmsgbk": "gb18030",
    "xgbk": "gb18030", "gb231280": "gb18030", "cngb": "gb18030", "euccn": "gb18030", "xeuccn": "gb18030",
    "ksc5601": "cp949", "ksc56011987": "cp949", "ksc56011989": "cp949", "xwindows949": "cp949", "uhc": "cp949",
    "xeuckr": "cp949", "xxbig5": "big5hkscs", "xbig5": "big5hkscs", "cnbig5": "big5hkscs", "xeucjp": "euc_jp",
    "iso2022jpesc": "iso2022_jp", "csiso2022jp": "iso2022_jp", "iso2022jpms": "iso2022_jp", "cp50220": "iso2022_jp",
    "iso88598i": "iso8859_8", "iso88598e": "iso8859_8", "logical": "iso8859_8", "visual": "iso8859_8",
    "iso88596i": "iso8859_6", "iso88596e": "iso8859_6", "macintosh": "mac_roman", "mac": "mac_roman",
    "xmacroman": "mac_roman", "xmaccyrillic": "mac_cyrillic", "xmacukrainian": "mac_cyrillic",
    "xmacgreek": "mac_greek", "xmacturkish": "mac_turkish", "xmaccentraleurroman": "mac_latin2", "xmacce": "mac_latin2",
    "xmaciceland": "mac_iceland", "xmaccroatian": "mac_croatian", "xmacromania": "mac_romanian",
    "xmacjapanese": "cp932", "xmackorean": "cp949", "xmacchinesesimp": "gb18030", "xmacchinesetrad": "big5hkscs",
    "xuserdefined": "cp1252", "koi": "koi8_r", "koi8": "koi8_r", "koi8ru": "koi8_u", "xviet": "cp1258",
    "dos874": "cp874", "hzgb2312": "hz", "ibm1004": "cp1252",
}  # fmt: skip
_SQUASH: Final = re.compile(r"[^a-z0-9]+")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_META_CHARSET: Final = re.compile(
    rb"""<meta\b[^>]{0,500}?charset\s{0,20}=\s{0,20}["']?\s{0,20}([\w.:-]{1,40})""", re.IGNORECASE
)
_DETECTABLE: Final = [
    "cp1251",
    "koi8_r",
    "gb18030",
    "big5",
    "cp932",
    "euc_jp",
    "cp949",
    "cp1253",
    "cp1255",
    "cp1256",
    "cp874",
]
_FOREIGN_RUN: Final = re.compile(rb"[\x80-\xff]{3}")
_SAMPLE = 4096  # bytes looked at when guessing
_SEVEN_BIT: Final = frozenset({"utf_7", "hz"})
_TOLERATED = 16  # one broken character in so many leaves a UTF-8 label believed


def _squash(label: str) -> str:
    return _SQUASH.sub("", label.lower())


def _alias_table() -> dict[str, str]:
    table = {_squash(codec): codec for codec in _CODECS}
    table |= {_squash(alias): codec for alias, codec in _python_aliases.items() if codec in _CODECS}
    for codec in tuple(_CODECS):  # windows-1252, win1252, x-cp1252, ibm850, dos-866, cp-850
        if codec.startswith("cp") and codec[2:].isdigit():
            table |= {prefix + codec[2:]: codec for prefix in ("windows", "win", "xcp", "ibm", "dos", "xwindows", "ms")}
    table |= {_squash(alias): codec for alias, codec in _EXTRA_ALIASES.items()}
    return {alias: _SUPERSETS.get(codec, codec) for alias, codec in table.items()}


_TABLE: Final = _alias_table()


def codec_of(declared: str | None) -> str | None:
    """The Python codec for a charset label as found in mail, or None when the label means nothing.

    >>> codec_of('"ISO-8859-1" ;')
    'cp1252'
    """
    if not declared:
        return None
    label = declared[:100].partition(";")[0]
    return _TABLE.get(_squash(label))


def storable(text: str) -> str:
    """`text` with NUL and lone surrogates replaced by U+FFFD (Postgres text, UTF-8)."""
    return text if text.isascii() and "\0" not in text else _UNSTORABLE.sub("\ufffd", text)


def decode_text(data: bytes, declared: str | None) -> str:
    """Text of `data`, believing `declared` only as far as the bytes bear it out. Never raises.

    ASCII and Latin-1 labels on valid UTF-8 mean UTF-8, and so do UTF-16 and UTF-32 where no octet is zero; a UTF-8
    label on other bytes means a guess; a byte order mark beats any label. Undecodable bytes become U+FFFD.
    """
    codec = codec_of(declared)
    if data.isascii() and (codec is None or codec in ("ascii", "utf_8", "cp1252")) and b"\x1b$" not in data:
        return data.decode("ascii").replace("\0", "\ufffd")
    codec = _by_mark(data) or _believable(data, codec)
    if codec == "iso2022_jp":
        return storable(_decode_iso2022_jp(data))
    try:
        text = data.decode(codec, "replace")
    except (LookupError, ValueError, RuntimeError):  # a codec that refuses even with "replace" (utf_7, hz)
        text = data.decode("cp1252", "replace")
    return storable(text.removeprefix("\ufeff"))


def decode_html(data: bytes, declared: str | None) -> str:
    """Like `decode_text`; `<meta charset>` counts only when the header says nothing usable (RFC 2854)."""
    if codec_of(declared) is None and (found := _META_CHARSET.search(data[:2048])):
        label = found[1].decode("ascii", "replace")
        declared = "utf-8" if label.lower().startswith("utf-16") else label
    return decode_text(data, declared)


def guess_codec(data: bytes) -> str:
    """The codec undeclared 8-bit `data` is most likely in; at most a few kilobytes of it are looked at."""
    if b"\x1b$" in data[:_SAMPLE] and data[:_SAMPLE].isascii():
        return "iso2022_jp"
    if is_utf8(data):
        return "utf_8"
    sample = b" ".join(data[:_SAMPLE].split())
    high = sum(byte > 0x7F for byte in sample)
    if high * 4 < len(sample) or not _FOREIGN_RUN.search(sample):
        return "cp1252"  # a Latin script with accents, where guessing further only does harm
    return _guess_non_latin(sample) or "cp1252"


def _guess_non_latin(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes  # heavy, and needed for one message in thousands

    try:
        best = from_bytes(sample, steps=3, chunk_size=512, cp_isolation=_DETECTABLE, preemptive_behaviour=False).best()
    except Exception:  # a guess may fail in any way the library likes; the caller has a default
        return None
    return _SUPERSETS.get(best.encoding, best.encoding) if best else None


def is_utf8(data: bytes) -> bool:
    """Whether `data` is valid UTF-8; a character cut off by the end of the data is forgiven (partial fetches)."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.start > 0
    return True


def _by_mark(data: bytes) -> str | None:
    if data.startswith(b"\xef\xbb\xbf"):
        return "utf_8"
    if data.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf_32"
    return "utf_16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else None


def _believable(data: bytes, codec: str | None) -> str:
    if codec is None or codec == "ascii" or (codec in _SEVEN_BIT and not data.isascii()):
        return guess_codec(data)
    if codec == "cp1252":
        return "utf_8" if is_utf8(data) else "cp1252"
    if codec.startswith(("utf_16", "utf_32")) and b"\0" not in data and is_utf8(data):
        return "utf_8"  # not even a blank or the end of a line is written in two octets
    if codec == "utf_8" and not is_utf8(data):
        text = data.decode("utf-8", "replace")
        if text.count("\ufffd") * _TOLERATED > len(data) - len(text):  # roughly the number of multibyte characters
            return guess_codec(data)
    return codec


_MAX_JIS_RUNS = 50_000
_JIS_RUN: Final = re.compile(rb"(?:\x1b(\$[@B]|\$\(D|\([BJI]|\(H))?([^\x1b]*)|\x1b")


def _decode_iso2022_jp(data: bytes) -> str:
    """ISO-2022-JP as Windows writes it: with the NEC and IBM rows that Python's codec refuses."""
    try:
        return data.decode("iso2022_jp_ext")
    except UnicodeDecodeError:
        if data.count(b"\x1b") > _MAX_JIS_RUNS:
            return data.decode("iso2022_jp_ext", "replace")
    out: list[str] = []
    mode = b"(B"
    for run in _JIS_RUN.finditer(data):
        mode = run[1] or mode
        chunk = run[2] or b""
        if mode.startswith(b"$"):
            eucs = bytes(byte | 0x80 if 0x20 < byte < 0x7F else byte for byte in chunk)
            out.append(_euc_rows(eucs))
        elif mode == b"(I":
            out.append(bytes(byte | 0x80 for byte in chunk).decode("cp932", "replace"))
        else:
            out.append(chunk.decode("utf-8", "replace"))
    return "".join(out)


def _euc_rows(data: bytes) -> str:
    try:
        return data.decode("euc_jp")
    except UnicodeDecodeError:
        return data.decode("euc_jis_2004", "replace")
