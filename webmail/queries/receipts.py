"""Which messages ask for a receipt, and where it would go (RFC 8098 section 2.1). None is ever sent unasked (S16)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from webmail.mime.domains import domain_of
from webmail.mime.lookalike import shown_address
from webmail.models import Mailbox, Message, MessageAnswer, MessageBody, Placement

from . import answers
from .answers import Sending
from .trust_panel import isolated

MOST = 5  # addresses that a receipt goes to
MARK = "$MDNSent"  # RFC 3503: somebody answered, here or in another program
_ELSEWHERE = {Mailbox.Role.SENT.value, Mailbox.Role.DRAFTS.value, Mailbox.Role.JUNK.value}


@dataclass(frozen=True, slots=True)
class Receipt:
    """``addresses`` are where it would go; ``strange`` that these are not where the message came from.

    ``sent_at`` is when the person wanted it sent, None while nothing is decided.
    """

    addresses: tuple[str, ...]
    strange: bool
    sent_at: datetime | None = None
    sending: Sending | None = None


def wanted_by(message: Message) -> tuple[str, ...]:
    """The addresses that ask for a receipt, each once, at most five."""
    asking = message.extra.get("disposition_notification_to", ())
    found: dict[str, str] = {}
    for address in asking:
        if isinstance(address, str) and "@" in address:
            found.setdefault(address.lower(), address)
    return tuple(found.values())[:MOST]


def may_answer(placement: Placement, own: Collection[str]) -> bool:
    """Whether the message in this place may get a receipt at all: never spam, one's own mail, or a report."""
    message = placement.message
    body: MessageBody | None = getattr(message, "body", None)
    return (
        bool(wanted_by(message))
        and placement.mailbox.role not in _ELSEWHERE
        and message.from_address.lower() not in own
        and body is not None
        and body.state == MessageBody.State.HERE
        and not body.special.get("report")
        and body.special.get("return_path") != ""  # from nobody, to whom nothing is to be answered
        and MARK.lower() not in {word.lower() for word in placement.keywords}
    )


def of_messages(placements: Sequence[Placement], *, own: Collection[str]) -> dict[int, Receipt]:
    """By message, those that wait for a decision or got their receipt from here; what was ignored is silent."""
    asking = [one for one in placements if wanted_by(one.message)]
    if not asking:
        return {}
    decided = answers.of_messages(MessageAnswer.Kind.RECEIPT, [one.message_id for one in asking])
    found: dict[int, Receipt] = {}
    for placement in asking:
        answer = decided.get(placement.message_id)
        if answer is None and may_answer(placement, own):
            found[placement.message_id] = _receipt(placement.message)
        elif answer is not None and answer.choice == MessageAnswer.Choice.SENT:
            found[placement.message_id] = Receipt(_shown(placement.message), False, answer.at, answers.sending(answer))
    return found


def _shown(message: Message) -> tuple[str, ...]:
    return tuple(isolated(shown_address(address)) for address in wanted_by(message))


def _receipt(message: Message) -> Receipt:
    came_from = domain_of(message.body.special.get("return_path") or message.from_address)
    strange = any(domain_of(address) != came_from for address in wanted_by(message))
    return Receipt(_shown(message), strange)
