"""Labels as people see them: names and colours of keywords, and the choice a menu offers."""

import zlib
from collections.abc import Iterable, Mapping, Sequence

from django.utils.translation import gettext, gettext_noop

from accounts.models import User
from webmail.mime.folder_names import folded
from webmail.mime.keywords import WELL_KNOWN, is_label, label_keyword, label_name
from webmail.models import Mailbox

from .values import Chip, LabelChoice

HUES = 36
# the five that mail programs share, with the colours they give them
_NAMES = (
    gettext_noop("Important"), gettext_noop("Work"), gettext_noop("Personal"), gettext_noop("To do"),
    gettext_noop("Later"),
)  # fmt: skip
_KNOWN = dict(zip(WELL_KNOWN, zip(_NAMES, (3, 6, 15, 26, 32), strict=True), strict=True))
_NO_HUES: Mapping[str, int] = {}
_ASIDE = {Mailbox.Role.TRASH.value, Mailbox.Role.JUNK.value}


def chip(keyword: str, hues: Mapping[str, int] = _NO_HUES) -> Chip:
    """The label's name and colour; ``hues`` are a person's own (User.label_hues)."""
    known = _KNOWN.get(keyword.lower())
    if known is not None:
        return Chip(gettext(known[0]), hues.get(keyword.lower(), known[1]))
    lower = keyword.lower()
    return Chip(label_name(keyword), hues.get(lower, zlib.crc32(lower.encode("utf-8", "replace")) % HUES))


def chips(keywords: Iterable[str], hues: Mapping[str, int] = _NO_HUES) -> tuple[Chip, ...]:
    """Those of the keywords that are labels, the well-known ones first."""
    return tuple(chip(keyword, hues) for keyword in sorted(filter(is_label, keywords), key=_order))


def choices(user: User, box: Mailbox | None, carried: Sequence[Sequence[str]] = ()) -> tuple[LabelChoice, ...]:
    """What the menu offers for messages with these keywords: the well-known five, the person's own, theirs.

    Nothing where labels are not: in Gmail's folders, which are labels themselves, in Trash and Spam.
    """
    if box is not None and (box.labelled or box.label or box.role in _ASIDE):
        return ()
    sets = [{word.lower() for word in words} for words in carried]
    spelled = {word.lower(): word for words in carried for word in words if is_label(word)}
    offered = {word.lower(): word for word in (*WELL_KNOWN, *user.labels)} | spelled
    return tuple(
        LabelChoice(word, (one := chip(word, user.label_hues)).name, one.hue, _state(key, sets))
        for key, word in sorted(offered.items(), key=lambda item: _order(item[1]))
    )


def typed(name: str) -> str:
    """The keyword for a label's typed name, be it one of the well-known. Raises BadName."""
    for keyword, (known, _) in _KNOWN.items():
        if folded(name) in (folded(known), folded(gettext(known))):
            return keyword
    return label_keyword(name)


def _state(key: str, sets: Sequence[set[str]]) -> str:
    having = sum(key in words for words in sets)
    return "false" if not having else "true" if having == len(sets) else "mixed"


def _order(keyword: str) -> tuple[bool, str]:
    lower = keyword.lower()
    return lower not in _KNOWN, lower if lower in _KNOWN else label_name(keyword).casefold()
