"""What the name and the attributes of a mailbox say about its use: RFC 6154 (special use), else the name itself.

The names' codec is `webmail.mime.folder_names`, which the pages need too.
"""

from __future__ import annotations

from collections.abc import Iterable

from webmail.mime.folder_names import LONGEST_COMPONENT, child_name, display_name, display_path, encode_name, folded
from webmail.protocols.imap_special_names import NAMES
from webmail.protocols.values import ListedMailbox

__all__ = [
    "LONGEST_COMPONENT",
    "child_name",
    "display_name",
    "display_path",
    "encode_name",
    "folded",
    "special_uses",
    "use_by_name",
]
_GROUPING = frozenset({"inbox", "[gmail]", "[google mail]", "mail"})
_BY_ATTRIBUTE = {
    "\\sent": "sent",
    "\\drafts": "drafts",
    "\\trash": "trash",
    "\\junk": "junk",
    "\\spam": "junk",
    "\\archive": "archive",
    "\\all": "all",
    "\\allmail": "all",
    "\\flagged": "flagged",
    "\\important": "important",
}


def use_by_name(wire_name: bytes, delimiter: str | None) -> str | None:
    """sent, drafts, trash, junk or archive, if that is what the name means in some language; only near the top."""
    *above, last = display_path(wire_name, delimiter)
    if len(above) > 1 or (above and folded(above[0]) not in _GROUPING):
        return None
    return NAMES.get(folded(last))


def special_uses(boxes: Iterable[ListedMailbox]) -> dict[bytes, str]:
    """Wire name to use (inbox, sent, drafts, trash, junk, archive, all, flagged, important), one mailbox for each.

    The server's word goes before the name, and among names the first listed.
    """
    listed = [box for box in boxes if box.selectable]
    uses: dict[bytes, str] = {box.wire_name: "inbox" for box in listed if box.wire_name == b"INBOX"}
    for box in listed:
        for attribute in sorted(box.attributes & _BY_ATTRIBUTE.keys()):
            _assign(uses, box, _BY_ATTRIBUTE[attribute])
    for box in listed:
        use = use_by_name(box.wire_name, box.delimiter)
        if use is not None:
            _assign(uses, box, use)
    return uses


def _assign(uses: dict[bytes, str], box: ListedMailbox, use: str) -> None:
    if box.wire_name not in uses and use not in uses.values():
        uses[box.wire_name] = use
