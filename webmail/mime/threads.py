"""What makes messages one conversation (RFC 5256, and JWZ's algorithm without its subject merging). Pure."""

import re
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Final, TypeVar

from webmail.mime.identifiers import cap_ids, normalise_id, parse_ids

if TYPE_CHECKING:
    from webmail.mime.headers import HeaderSummary

__all__ = ["base_subject", "cap_ids", "group", "normalise_id", "parse_ids", "reference_ids"]

Key = TypeVar("Key", bound=Hashable)

_REPLY_MARKS: Final = (
    "re|aw|antw|antwort|sv|svar|vs|ref|réf|rép|rep|reply|res|resp|odp|ynt|yan|cevap|vá|va|bls|atb|at|oti|"
    "απ|σχετ|ответ|отв|на|відп|од|השב|תגובה|رد|پاسخ|trả lời|ตอบ|ตอบกลับ|回复|回覆|答复|答覆|返信|답장|회신|re-"
)
_FORWARD_MARKS: Final = (
    "fwd|fw|wg|weitergeleitet|doorst|tr|trans|rv|enc|vl|vb|vid|videresend|pd|podaj dalej|"
    "továbbítás|továbbítva|ilt|iletilen|"
    "i|fs|πρθ|пересл|переслано|הועבר|إعادة توجيه|chuyển tiếp|ส่งต่อ|转发|轉寄|轉發|転送|전달"
)
_MARK: Final = re.compile(
    rf"(?:(?P<reply>{_REPLY_MARKS}|r)|(?P<forward>{_FORWARD_MARKS}))"
    r"\s{0,3}(?:[\[(^*]?\s?\d{1,4}\s?[\])]?)?\s{0,3}[:：]\s{0,20}",
    re.IGNORECASE,
)
_TAG: Final = re.compile(r"\[[^\[\]]{1,100}\]\s{0,20}")
_TRAILING: Final = re.compile(r"\s{0,20}\((?:fwd|fw)\)\s*\Z", re.IGNORECASE)
_MAX_SUBJECT = 2_000
_MAX_MARKS = 100


def base_subject(subject: str) -> tuple[str, bool]:
    """The subject without reply and forward marks and list tags, and whether it had a reply mark.

    Case is kept (compare casefolded). Follows RFC 5256 section 2.1, with the marks of many languages.

    >>> base_subject("AW: [list] Re[2]: Lunch")
    ('Lunch', True)
    """
    rest = " ".join(subject[:_MAX_SUBJECT].split())
    is_reply = False
    for _ in range(_MAX_MARKS):
        mark = _MARK.match(rest)
        if mark:
            is_reply = is_reply or mark["reply"] is not None
            rest = rest[mark.end() :]
            continue
        tag = _TAG.match(rest)
        if tag and tag.end() < len(rest):
            rest = rest[tag.end() :]
            continue
        shorter = _TRAILING.sub("", rest[-40:])
        if len(shorter) == len(rest[-40:]):
            break
        rest = rest[:-40] + shorter
    return rest.strip(), is_reply


def reference_ids(summary: "HeaderSummary") -> tuple[str, ...]:
    """Every identifier that ties a message to its conversation: its own, those it refers to, the one it answers."""
    ids = dict.fromkeys((summary.message_id, *summary.references, summary.in_reply_to))
    return tuple(filter(None, ids))


def group(messages: Iterable[tuple[Key, Iterable[str]]]) -> list[tuple[Key, ...]]:
    """Keys grouped by shared identifiers (union-find), groups and members in order of first appearance.

    A key given twice counts once; a message without identifiers is a group of its own.
    """
    parents: dict[object, object] = {}

    def root(node: object) -> object:
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    keys: dict[Key, tuple[str, Key]] = {}
    for key, ids in messages:
        own = keys.setdefault(key, ("key", key))
        parents.setdefault(own, own)
        for message_id in ids:
            other = ("id", message_id)
            parents.setdefault(other, other)
            parents[root(other)] = root(own)
    groups: dict[object, list[Key]] = {}
    for key, own in keys.items():
        groups.setdefault(root(own), []).append(key)
    return [tuple(members) for members in groups.values()]
