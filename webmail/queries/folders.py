"""What the page of an account's folders prints: each at its place in the tree, and what can be done with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from accounts.models import MailAccount
from webmail.models import Mailbox
from webmail.models.folder_tree import chosen, within

from .nav import display_name, mailbox_url, role_icon


@dataclass(frozen=True, slots=True)
class FolderRow:
    id: int
    name: str
    path: str
    url: str
    icon: str
    role: str
    depth: int
    total: int
    unread: int
    opens: bool
    shown: bool
    changeable: bool
    hideable: bool
    words: str


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes with a folder that is about to be deleted."""

    name: str
    messages: int
    folders: tuple[str, ...]
    role_words: str


def rows(mailboxes: Sequence[Mailbox]) -> tuple[FolderRow, ...]:
    """In the order of their names, the inbox first; what lies within a folder follows it."""
    some_chosen = chosen(mailboxes)
    ordered = sorted(mailboxes, key=lambda box: (box.role != Mailbox.Role.INBOX, _sorted_path(box)))
    return tuple(_row(box, some_chosen=some_chosen) for box in ordered)


def _serves_as(box: Mailbox) -> str:
    """What a special folder is for, where its own name does not say so."""
    inbox = box.role == Mailbox.Role.INBOX
    return display_name(box) if box.role and not inbox and display_name(box) != box.leaf else ""


def changeable(box: Mailbox) -> bool:
    """Whether it can be renamed or deleted: not the inbox, nor the folders every POP3 account has."""
    local = box.account.protocol == MailAccount.Protocol.POP3
    return box.role != Mailbox.Role.INBOX and not (box.role and local)


def _sorted_path(box: Mailbox) -> list[str]:
    parts = box.name.split(box.delimiter) if box.delimiter else [box.name]
    return [part.casefold() for part in parts]


def _row(box: Mailbox, *, some_chosen: bool) -> FolderRow:
    return FolderRow(
        id=box.pk,
        name=display_name(box) if box.role == Mailbox.Role.INBOX else box.leaf,
        path=box.name,
        url=mailbox_url(box),
        icon=role_icon(box.role),
        role=box.role,
        depth=min(box.name.count(box.delimiter) if box.delimiter else 0, 5),
        total=box.total,
        unread=box.unread,
        opens=box.selectable,
        shown=bool(box.role) or box.subscribed or not some_chosen,
        changeable=changeable(box),
        hideable=not box.role and box.selectable,
        words=_serves_as(box),
    )


def parents(account: MailAccount, mailboxes: Sequence[Mailbox]) -> list[tuple[str, str]]:
    """Choices for where a new folder goes: the top, or within a folder that can hold others."""
    usable = [
        box
        for box in mailboxes
        if "\\noinferiors" not in box.attributes and (box.delimiter or account.protocol == MailAccount.Protocol.POP3)
    ]
    return [(str(box.pk), box.name) for box in sorted(usable, key=_sorted_path)]


def removal(mailbox: Mailbox, mailboxes: Sequence[Mailbox]) -> Removal:
    inner = within(list(mailboxes), mailbox)
    return Removal(
        name=mailbox.name,
        messages=mailbox.total + sum(box.total for box in inner),
        folders=tuple(box.name for box in sorted(inner, key=_sorted_path)),
        role_words=display_name(mailbox) if mailbox.role else "",
    )
