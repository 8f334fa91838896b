"""Gmail's labels as texts, and which label a mailbox shows. Pure.

Invariants: a label is the octets the server sent, one character each, never decoded: what goes back is what came;
``\\Starred`` is never among them, since the flag says it. Gmail's IMAP extensions, section X-GM-LABELS.
"""

from collections.abc import Sequence

from webmail.models.label_views import DRAFT, IMPORTANT, INBOX, SENT, STARRED
from webmail.protocols.values import ListedMailbox

LONGEST = 1000
_SYSTEM = {label.lower(): label for label in (INBOX, SENT, DRAFT, IMPORTANT)} | {"\\drafts": DRAFT}
_BY_ATTRIBUTE = {"\\sent": SENT, "\\drafts": DRAFT, "\\flagged": STARRED, "\\important": IMPORTANT}
_HOME = frozenset({"\\all", "\\allmail"})
_READ = frozenset({"\\trash", "\\junk", "\\spam"})  # besides the home: mail that All Mail does not hold


def label_texts(labels: Sequence[bytes] | None) -> tuple[str, ...] | None:
    """The labels of one message, each once, in order; None where the server sent none at all."""
    if labels is None:
        return None
    texts = {label.replace(b"\0", b"").decode("latin-1")[:LONGEST] for label in labels}
    named = {_SYSTEM.get(text.lower(), text) for text in texts if text and text.lower() != STARRED.lower()}
    return tuple(sorted(named))


def is_home(box: ListedMailbox) -> bool:
    """Whether this is All Mail, where every message outside Spam and Trash lies once."""
    return box.selectable and bool(box.attributes & _HOME)


def label_of(box: ListedMailbox) -> str:
    """The label whose messages this mailbox shows; empty for All Mail, Spam, Trash and what cannot be opened."""
    if not box.selectable or box.attributes & (_HOME | _READ):
        return ""
    if box.wire_name == b"INBOX":
        return INBOX
    for attribute, label in _BY_ATTRIBUTE.items():
        if attribute in box.attributes:
            return label
    return box.wire_name.decode("latin-1")[:LONGEST]


def on_the_wire(labels: frozenset[str]) -> list[bytes]:
    """The octets of stored labels."""
    return sorted(label.encode("latin-1") for label in labels)
