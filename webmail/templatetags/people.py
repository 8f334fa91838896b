"""How a person is drawn without a picture: initials and a colour, both stable for an address."""

import re
import unicodedata
import zlib

HUES = 36
_NOT_WORD = re.compile(r"[^\w\s'’-]+")
_CJK = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")


def hue(address: str) -> int:
    """Bucket 0–35 (ten degrees each); the same for every spelling of case."""
    return zlib.crc32(address.strip().lower().encode("utf-8", "replace")) % HUES


def initials(name: str, address: str) -> str:
    """One or two characters: first letters of two words, two letters of a single one, the given name in CJK scripts."""
    words = [word.strip("'’-_") for word in _NOT_WORD.sub(" ", name).split()]
    words = [word for word in words if word]
    if len(words) > 1 and words[0].lower() in {"the", "a", "an"}:
        words = words[1:]
    if not words:
        words = re.split(r"[._+-]+", address.partition("@")[0]) or [""]
        words = [word for word in words if word] or ["?"]
    if _is_cjk(words[-1][0]):
        return words[-1][:2]
    if len(words) == 1:
        return words[0][:2].upper()
    return (words[0][0] + words[1][0]).upper()


def _is_cjk(character: str) -> bool:
    return unicodedata.name(character, "").startswith(_CJK)
