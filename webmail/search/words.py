"""The words of a text, the same when it is indexed and when it is searched for.

Scripts without spaces (Chinese, Japanese, Thai, ...) and Korean are indexed by pairs of neighbouring characters, so
that a plain word index finds any run of two or more of them.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

MAX_TERMS = 20_000
MAX_TERM = 60
MAX_TEXT = 2_000_000

# Letters that Unicode does not take apart, and what people type for them.
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
# Latin, Greek and Cyrillic accents, Hebrew and Arabic vowel points; marks that other scripts spell with stay.
_ACCENTS = re.compile(r"[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u065f\u0670]+")
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
# The vowel signs of India and Tibet are no letters to a regular expression, yet belong to their word.
_SIGNS = "\u0900-\u0963\u0966-\u0dff\u0f71-\u0fbc"
_LETTER = rf"(?:[^\W_{_UNSPACED}]|[{_SIGNS}])"
_WORD = re.compile(rf"[{_UNSPACED}]+|{_LETTER}+")
_ONE_LETTER = rf"[^\W_{_UNSPACED}]"
_UNSPACED_START = re.compile(f"[{_UNSPACED}]")


def normalise(text: str) -> str:
    """Compatibility forms unified, case folded, accents taken off (NFKC_Casefold without diacritics)."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", folded)).translate(_PLAIN)
    return unicodedata.normalize("NFC", bare)


def terms(text: str) -> list[str]:
    """The words to index ``text`` by, normalised and in order, at most 20,000 of at most 60 characters."""
    return _cut(_terms(text, last_alone=True))


def query_terms(text: str) -> list[str]:
    """The words that indexed text must contain, next to each other, to contain ``text``."""
    return _cut(_terms(text, last_alone=False))


def _cut(found: Iterator[str]) -> list[str]:
    return [term[:MAX_TERM] for _, term in zip(range(MAX_TERMS), found, strict=False)]


def _terms(text: str, *, last_alone: bool) -> Iterator[str]:
    for match in _WORD.finditer(normalise(text[:MAX_TEXT])):
        word = match[0]
        if not _UNSPACED_START.match(word):
            yield word
            continue
        for start in range(len(word) - 1):
            yield word[start : start + 2]
        if last_alone or len(word) == 1:
            yield word[-1]


def query_words(text: str) -> list[str]:
    """The words of ``text`` whole, normalised, as ``highlight`` takes them."""
    return [match[0] for _, match in zip(range(MAX_TERMS), _WORD.finditer(normalise(text)), strict=False)]


def highlight(text: str, words: Sequence[str]) -> list[tuple[str, bool]]:
    """``text`` in pieces, True for the words that begin with one of ``words`` (see ``Query.words``).

    The pieces joined are ``text``. One or two letters match as a whole word only; scripts without spaces anywhere.
    """
    wanted = [word for word in dict.fromkeys(map(normalise, words)) if word][:50]
    if not wanted:
        return [(text, False)] if text else []
    folded, origin = _with_origin(text)
    pieces: list[tuple[str, bool]] = []
    place = 0
    for match in _matcher(wanted).finditer(folded):
        start, end = origin[match.start()], origin[match.end() - 1] + 1
        if start < place or start == end:
            continue
        if start > place:
            pieces.append((text[place:start], False))
        place = _whole_character(text, end)
        pieces.append((text[start:place], True))
    if place < len(text):
        pieces.append((text[place:], False))
    return pieces


def _matcher(wanted: list[str]) -> re.Pattern[str]:
    unspaced = [word for word in wanted if _UNSPACED_START.match(word)]
    long = [word for word in wanted if len(word) > 2 and word not in unspaced]
    short = [word for word in wanted if len(word) <= 2 and word not in unspaced]
    alternatives = [re.escape(word) for word in sorted(unspaced, key=len, reverse=True)]
    if long:
        alternatives.append(rf"(?<!{_ONE_LETTER})(?:{'|'.join(map(re.escape, long))}){_LETTER}*")
    if short:
        alternatives.append(rf"(?<!{_ONE_LETTER})(?:{'|'.join(map(re.escape, short))})(?!{_LETTER})")
    return re.compile("|".join(alternatives))


def _with_origin(text: str) -> tuple[str, list[int]]:
    """The normalised text, and for each of its characters the place in ``text`` that it came from."""
    if text.isascii():
        return text.lower(), list(range(len(text)))
    pieces, origin = [], []
    for place, char in enumerate(text):
        folded = normalise(char)
        pieces.append(folded)
        origin.extend([place] * len(folded))
    return "".join(pieces), origin


def _whole_character(text: str, end: int) -> int:
    while end < len(text) and unicodedata.combining(text[end]):
        end += 1
    return end
