"""What a person may mean to do with messages, by name: the one table behind buttons, keys and bulk jobs."""

from collections.abc import Callable, Mapping

from accounts.models import User
from webmail.models import Action, Flag, Mailbox

from . import actions, keywords, pop
from .ops import Spot

Perform = Callable[[User, str, list[Spot], Mailbox | None], Action]


def _flags(user: User, kind: str, spots: list[Spot], destination: Mailbox | None) -> Action:
    set_, clear = actions.FLAG_KINDS[kind]
    return actions.change_flags(user, kind, spots, set_=int(set_), clear=int(clear))


def _to_role(role: str, set_: int = 0, clear: int = 0) -> Perform:
    def go(user: User, kind: str, spots: list[Spot], destination: Mailbox | None) -> Action:
        return actions.to_role(user, kind, spots, role, set_=set_, clear=clear)

    return go


def _delete(user: User, kind: str, spots: list[Spot], destination: Mailbox | None) -> Action:
    return actions.delete(user, spots)


def _discard(user: User, kind: str, spots: list[Spot], destination: Mailbox | None) -> Action:
    return pop.discard(user, spots)


def _move(user: User, kind: str, spots: list[Spot], destination: Mailbox | None) -> Action:
    assert destination is not None
    return actions.move(user, kind, spots, destination)


def _copy(user: User, kind: str, spots: list[Spot], destination: Mailbox | None) -> Action:
    assert destination is not None
    return actions.copy(user, spots, destination)


KINDS: Mapping[str, Perform] = {
    **dict.fromkeys(actions.FLAG_KINDS, _flags),
    "archive": _to_role(Mailbox.Role.ARCHIVE),
    "junk": _to_role(Mailbox.Role.JUNK, int(Flag.JUNK), int(Flag.NOT_JUNK)),
    "notjunk": _to_role(Mailbox.Role.INBOX, int(Flag.NOT_JUNK), int(Flag.JUNK)),
    "delete": _delete,
    "empty": _delete,  # of everything in a mailbox
    "move": _move,
    "copy": _copy,
    "discard": _discard,
}
WITH_DESTINATION = frozenset({"move", "copy"})
WITH_KEYWORD = frozenset({"label", "unlabel"})
RELABEL = "relabel"  # of a label's page only: one keyword gives way to another


def perform(
    user: User,
    kind: str,
    spots: list[Spot],
    destination: Mailbox | None = None,
    *,
    keyword: str = "",
    instead: str = "",
) -> Action:
    """One transaction: the rows as the person sees them, and the intent for the server. KeyError for no such kind."""
    if kind == RELABEL:
        return keywords.change(user, kind, spots, add=[instead], remove=[keyword])
    if kind in WITH_KEYWORD:
        add, remove = ([keyword], []) if kind == "label" else ([], [keyword])
        return keywords.change(user, kind, spots, add=add, remove=remove)
    return KINDS[kind](user, kind, spots, destination)
