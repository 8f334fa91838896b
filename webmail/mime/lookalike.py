"""Domains that are meant to be taken for others: letters of other scripts, letters that look alike, one letter off.

How a name is shown follows what browsers do (UTS 39, "highly restrictive"): in its own letters while they are of one
script, or of those that are written together; as ``xn--`` when scripts are mixed or all of it could be read as Latin.
Pure, total, and linear but for the comparison of two short labels.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from webmail.mime.domains import ascii_domain, site

SHORTEST = 6  # letters of a name from which on one letter more, less or other is no accident

Likeness = Literal["", "alike", "close", "borrowed"]

# Letters that most type faces draw like an ASCII one; compatibility forms and accents are taken off before.
_TWINS: Final = str.maketrans(
    {
        **dict(zip("абвгезіјкмнорԛсѕтуԝхһьԁӏѵꙇ", "a6bre3ljkmhopqcstywxhbdlvl", strict=True)),
        **dict(zip("αβγεηικνορτυχωϳ", "abyenlkvoptuxwj", strict=True)),
        **dict(zip("աԁգհոպսօքյ", "wdghnqsopj", strict=True)),
        **dict(zip("ıɩɑɡɢʀɴʏʟɪʜøđħłŧƅƖ", "llaggrnyllhodhltbl", strict=True)),
        **dict(zip("015|i", "olsll", strict=True)),
    }
)
_PAIRS: Final = (("rn", "m"), ("vv", "w"))
_TOGETHER: Final = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)
_PHONETIC: Final = re.compile(
    "[\u0250-\u02af\u1d00-\u1dbf\ua720-\ua7ff]"
)  # Latin letters of dictionaries, not of names


def shown_domain(domain: str) -> str:
    """The domain as it may be shown to people, label by label; never one that can be mistaken for another script's."""
    wire = ascii_domain(domain)
    if "xn--" not in wire:
        return wire or domain
    labels = [_shown_label(label) for label in wire.split(".")]
    return ".".join(labels)


def shown_address(address: str) -> str:
    """The address with its domain as `shown_domain` has it."""
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{shown_domain(domain)}" if at and local and domain else address


def is_disguised(domain: str) -> bool:
    """Whether the domain holds a label that is not shown in its own letters."""
    return "xn--" in shown_domain(domain)


@lru_cache(maxsize=2_000)
def _shown_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        text = label.encode().decode("idna")
    except UnicodeError:
        return label
    if text.isascii() or _PHONETIC.search(text) or not text.isprintable():
        return label
    scripts = {_script(letter) for letter in text} - {""}
    if len(scripts) == 1:
        foreign = scripts != {"LATIN"}
        return label if foreign and skeleton(text).isascii() else text
    return text if any(scripts <= group for group in _TOGETHER) else label


def _script(letter: str) -> str:
    """The first word of a letter's name, which names its script; "" for what all scripts share."""
    if unicodedata.category(letter)[0] in "NPM" or letter == "ー":
        return ""
    return unicodedata.name(letter, "?").split()[0].partition("-")[0]


def skeleton(text: str) -> str:
    """The text with every letter replaced by the plainest that looks like it: equal skeletons look alike."""
    plain = unicodedata.normalize("NFKD", text[:255].casefold())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    plain = plain.translate(_TWINS)
    for pair, single in _PAIRS:
        plain = plain.replace(pair, single)
    return plain


def likeness(domain: str, known: str, *, own: bool = False) -> Likeness:
    """How a stranger's domain resembles a known one. ``own`` is for the reader's own organisation, judged strictly.

    alike: it looks the same, or carries the whole known name before another (``bank.example.evil.net``);
    close: one letter more, less, other or swapped in a name of six letters at least; borrowed: the own name below
    another ending, or with words added to it; "": it does not, or both belong to one site.
    """
    theirs, ours = _taken_apart(domain), _taken_apart(known)
    if not theirs.whole or not ours.whole or theirs.site == ours.site:
        return ""
    if theirs.look == ours.look or f".{ours.site}." in f".{theirs.whole}.":
        return "alike"
    if theirs.ending == ours.ending and _one_off(theirs.name, ours.name):
        return "close"
    if own and len(ours.name) >= SHORTEST and ours.name in re.split(r"[.-]", theirs.whole):
        return "borrowed"
    return ""


class _Parts(NamedTuple):
    """A domain, its site, that site's skeleton, and the site's first label apart from the rest."""

    whole: str
    site: str
    look: str
    name: str
    ending: str


@lru_cache(maxsize=10_000)
def _taken_apart(domain: str) -> _Parts:
    whole = ascii_domain(domain)
    registered = site(whole)
    name, _, ending = registered.partition(".")
    return _Parts(whole, registered, ".".join(skeleton(_unicode(one)) for one in registered.split(".")), name, ending)


def closest(domain: str, known: Iterable[str], *, own: Iterable[str] = ()) -> tuple[Likeness, str]:
    """The worst likeness to any of the domains, and to which one."""
    worst: tuple[Likeness, str] = ("", "")
    for one in own:
        worst = max(worst, (likeness(domain, one, own=True), one), key=_weight)
    for one in known:
        how = likeness(domain, one)
        if how:
            worst = max(worst, (how, one), key=_weight)
    return worst


def _weight(found: tuple[Likeness, str]) -> int:
    return _BY_WEIGHT.index(found[0])


_BY_WEIGHT: Final[tuple[Likeness, ...]] = ("", "borrowed", "close", "alike")


def _unicode(label: str) -> str:
    try:
        return label.encode("ascii", "replace").decode("idna")
    except UnicodeError:
        return label


def _one_off(one: str, other: str) -> bool:
    """Whether the words differ by one letter more, less or other, or by two neighbours swapped."""
    if len(one) > len(other):
        one, other = other, one
    if len(one) < SHORTEST or len(other) - len(one) > 1 or one == other:
        return False
    same = next((at for at, letter in enumerate(one) if letter != other[at]), len(one))
    if len(one) < len(other):
        return one[same:] == other[same + 1 :]
    rest, rest_other = one[same:], other[same:]
    return rest[1:] == rest_other[1:] or (rest[:2] == rest_other[1::-1] and rest[2:] == rest_other[2:])
