"""The outbox in words: what waits, what is on its way, and what needs a person, with the server's own line."""

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from urllib.parse import urlencode

from django.db.models import Prefetch, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from webmail.mime.addresses import Address, format_address
from webmail.mime.html_text import html_to_text
from webmail.mime.identifiers import normalise_id
from webmail.mime.threads import base_subject
from webmail.models import Draft, Message, MessageAnswer, Outgoing, OutgoingRecipient

from . import special
from .nav import OUTBOX_NEEDS

State = Outgoing.State
_ON_ITS_WAY = (State.QUEUED, State.SENDING, State.DEFERRED)
_MOST = 200
_CODE = re.compile(r"\d{3}(?:[ -]\d\.\d{1,3}\.\d{1,3})?")  # RFC 5321 section 4.2, RFC 3463


@dataclass(frozen=True, slots=True)
class OutRow:
    id: int
    url: str
    people: str
    subject: str
    snippet: str
    when: datetime
    words: str
    level: str  # danger, warn, or "" for what goes its way
    icon: str
    group: str
    avatar_name: str
    avatar_address: str


@dataclass(frozen=True, slots=True)
class OutAction:
    do: str
    label: str
    main: bool = False


@dataclass(frozen=True, slots=True)
class OutRecipient:
    name: str
    address: str
    words: str
    level: str
    reply: str


@dataclass(frozen=True, slots=True)
class OutDetail:
    """One message on its way out; ``title`` and ``sentence`` say how it stands, ``actions`` what a person may do."""

    id: int
    subject: str
    to_words: str
    title: str
    sentence: str
    level: str
    server_line: str
    status: str
    recipients: tuple[OutRecipient, ...]
    actions: tuple[OutAction, ...]
    text: str
    sent: bool
    outcomes: tuple[special.FateLine, ...] = ()  # what mail servers reported afterwards


def rows(user: User) -> tuple[OutRow, ...]:
    """Two queries; what needs somebody comes first, then what is on its way, then what waits for its time or answer."""
    found = [_row(outgoing) for outgoing in _open(user)]
    order = [_("Needs you"), _("No answer yet"), _("On its way"), _("Scheduled"), _("Waiting for an answer")]
    found.sort(key=lambda row: (order.index(row.group), -row.when.timestamp()))
    first = {id(next(members)) for _group, members in groupby(found, key=lambda row: row.group)}
    return tuple(row if id(row) in first else _without_group(row) for row in found)


def detail(outgoing: Outgoing) -> OutDetail:
    people = list(outgoing.recipients.all())
    title, sentence = _told(outgoing, people)
    return OutDetail(
        id=outgoing.pk,
        subject=outgoing.subject,
        to_words=_("To %s") % ", ".join(person.name or person.address for person in people),
        title=title,
        sentence=sentence,
        level=_level(outgoing),
        server_line=_server_line(outgoing, people),
        status=_status(outgoing),
        recipients=tuple(_recipient(person) for person in people) if outgoing.attempts else (),
        actions=_actions(outgoing, people),
        text=_text(outgoing),
        sent=outgoing.state == State.SENT,
        outcomes=_outcomes(outgoing),
    )


def writing_again(outgoing: Outgoing) -> str:
    """The query string that opens the composer to write to the same people once more, below what was written."""
    copy = Message.objects.filter(account=outgoing.account_id, message_id=normalise_id(outgoing.message_id)).first()
    if copy is not None:
        return urlencode({"reply": copy.pk, "mode": Draft.Mode.REPLY_ALL})
    people = outgoing.recipients.exclude(kind="bcc")
    to = ", ".join(format_address(Address(name=one.name, addr_spec=one.address)) for one in people)
    return urlencode({"to": to, "subject": f"Re: {base_subject(outgoing.subject)[0]}"})


def _outcomes(outgoing: Outgoing) -> tuple[special.FateLine, ...]:
    if outgoing.sent_at is None:
        return ()
    original = normalise_id(outgoing.message_id)
    return special.outcomes(outgoing.account_id, [original]).get(original, ())


def _open(user: User) -> QuerySet[Outgoing]:
    leaving = Q(state__in=[*OUTBOX_NEEDS, *_ON_ITS_WAY])
    answers = Q(unanswered=True) | Q(remind_at__isnull=False)
    people = Prefetch("recipients", queryset=OutgoingRecipient.objects.order_by("id"))
    found = Outgoing.objects.filter(leaving | answers, user=user).select_related("account__outgoing")
    return found.prefetch_related(people).order_by("-created_at")[:_MOST]


def _row(outgoing: Outgoing) -> OutRow:
    people = list(outgoing.recipients.all())
    first = people[0] if people else OutgoingRecipient(address="")
    waits = _waits(outgoing)
    return OutRow(
        id=outgoing.pk,
        url=reverse("mail:outgoing", args=[outgoing.pk]),
        people=_called(people),
        subject=outgoing.subject,
        snippet=outgoing.snippet,
        when=outgoing.send_after if waits else outgoing.sent_at or outgoing.created_at,
        words=_row_words(outgoing, people),
        level=_level(outgoing),
        icon="alert" if outgoing.state in OUTBOX_NEEDS else "scheduled" if waits else _icon(outgoing),
        group=_group(outgoing),
        avatar_name=first.name,
        avatar_address=first.address,
    )


def _group(outgoing: Outgoing) -> str:
    if outgoing.state in OUTBOX_NEEDS:
        return _("Needs you")
    if outgoing.state == State.SENT:
        return _("No answer yet") if outgoing.unanswered else _("Waiting for an answer")
    return _("Scheduled") if _waits(outgoing) else _("On its way")


def _called(people: list[OutgoingRecipient]) -> str:
    """One by the whole name, several by the first of their names."""
    names = [person.name or person.address for person in people]
    return names[0] if len(names) == 1 else ", ".join(name.split()[0] for name in names[:4] if name)


def _without_group(row: OutRow) -> OutRow:
    values = {name: getattr(row, name) for name in OutRow.__dataclass_fields__}
    return OutRow(**values | {"group": ""})


def _waits(outgoing: Outgoing) -> bool:
    return outgoing.scheduled and outgoing.state == State.QUEUED


def _icon(outgoing: Outgoing) -> str:
    return "clock" if outgoing.state in (State.DEFERRED, State.SENT) else "sent"


def _level(outgoing: Outgoing) -> str:
    if outgoing.state in (State.FAILED, State.PARTIAL):
        return "danger"
    return "warn" if outgoing.state in (State.UNKNOWN, State.DEFERRED) or outgoing.unanswered else ""


def _row_words(outgoing: Outgoing, people: list[OutgoingRecipient]) -> str:
    refused = sum(person.state == OutgoingRecipient.State.REFUSED for person in people)
    if outgoing.state == State.PARTIAL:
        return _("Refused for %(refused)d of %(all)d recipients") % {"refused": refused, "all": len(people)}
    if outgoing.state == State.DEFERRED:
        return _("Server busy, next try at %s") % _clock(outgoing.send_after)
    if _waits(outgoing):
        return _("Leaves %s") % day_and_time(outgoing.send_after)
    if outgoing.state == State.SENT:
        return _no_answer(outgoing) if outgoing.unanswered else _reminder(outgoing)
    words: dict[str, str] = {
        State.FAILED: _("Refused, nobody has it"),
        State.UNKNOWN: _("May have been sent"),
        State.SENDING: _("Sending…"),
    }
    return words.get(outgoing.state, _("Leaves in a moment"))


def _told(outgoing: Outgoing, people: list[OutgoingRecipient]) -> tuple[str, str]:
    """What happened and to whom, and what still works."""
    host = outgoing.account.outgoing.host if outgoing.account.outgoing else _("The server")
    if outgoing.state == State.PARTIAL:
        return _partly(people, host)
    if outgoing.state == State.DEFERRED:
        when = _clock(outgoing.send_after)
        return (
            _("The message waits, the server is busy"),
            _("%(host)s asked to come back later. It is tried again by itself at %(when)s.")
            % {"host": host, "when": when},
        )
    if _waits(outgoing):
        return _("The message waits for its time"), _("It leaves %s.") % day_and_time(outgoing.send_after)
    texts: dict[str, tuple[str, str]] = {
        State.FAILED: _failed(outgoing, host),
        State.UNKNOWN: (
            _("The message may have been sent"),
            _(
                "The connection to %s broke after the message was handed over and before the answer came. Sending it "
                "again could deliver it twice. Ask a recipient, or look into Sent, then decide."
            )
            % host,
        ),
        State.SENDING: (_("The message is leaving"), _("%s is taking it now.") % host),
        State.SENT: _sent(outgoing, host),
        State.CANCELLED: (_("The message was taken back"), _("Nothing was sent.")),
    }
    waiting = (_("The message leaves in a moment"), _("Until then it can be taken back."))
    return texts.get(outgoing.state, waiting)


def _sent(outgoing: Outgoing, host: str) -> tuple[str, str]:
    if outgoing.unanswered:
        return _no_answer(outgoing), _("Write again if you still wait for an answer, or let it rest.")
    said = [_("%s took it for everybody.") % host]
    if outgoing.report == Outgoing.Report.NOT_GIVEN:
        said.append(_("It does not report when a message arrives."))
    elif outgoing.report == Outgoing.Report.ASKED:
        said.append(_("You are told when the recipients' servers say that it arrived."))
    if outgoing.remind_at:
        said.append(f"{_reminder(outgoing)}.")
    return _("The message was sent"), " ".join(said)


def _no_answer(outgoing: Outgoing) -> str:
    days = (timezone.now() - (outgoing.sent_at or outgoing.created_at)).days
    words = ngettext("Nobody has answered for a day", "Nobody has answered for %(count)d days", days)
    return words % {"count": days}


def _reminder(outgoing: Outgoing) -> str:
    return _("Comes up again %s if nobody answers") % day_and_time(outgoing.remind_at or outgoing.created_at)


def _failed(outgoing: Outgoing, host: str) -> tuple[str, str]:
    if outgoing.error_code == "auth":
        return (
            _("%s refused the password") % host,
            _("Nobody has the message. Update the password of %s, then send it again.") % outgoing.account,
        )
    if outgoing.error_code == "identity":
        return (
            _("You no longer write from %s") % outgoing.envelope_from,
            _("Nobody has the message. Choose another address in it, then send it again."),
        )
    return _("Nobody has this message"), _("%s did not take it, and it will not be tried again by itself.") % host


def _partly(people: list[OutgoingRecipient], host: str) -> tuple[str, str]:
    refused = [person for person in people if person.state == OutgoingRecipient.State.REFUSED]
    have = len(people) - len(refused)
    title = ngettext("One address was refused", "%(count)d addresses were refused", len(refused)) % {
        "count": len(refused)
    }
    rest = ngettext("one other has it", "the other %(count)d have it", have) % {"count": have}
    named = ", ".join(person.address for person in refused[:3])
    sentence = _("%(host)s said no to %(named)s. It was not sent there and will not be tried again by itself.")
    return f"{title}, {rest}", sentence % {"host": host, "named": named}


def _server_line(outgoing: Outgoing, people: list[OutgoingRecipient]) -> str:
    if outgoing.state not in (*OUTBOX_NEEDS, State.DEFERRED):
        return ""
    refused = (person.reply for person in people if person.reply and person.state != OutgoingRecipient.State.ACCEPTED)
    return outgoing.server_line or next(refused, "")


def _status(outgoing: Outgoing) -> str:
    if outgoing.state in OUTBOX_NEEDS:
        return _("Kept here until you decide")
    return _("Sent %s") % _clock(outgoing.sent_at) if outgoing.sent_at else str(outgoing.get_state_display())


def _recipient(person: OutgoingRecipient) -> OutRecipient:
    levels: dict[str, str] = {
        OutgoingRecipient.State.ACCEPTED: "ok",
        OutgoingRecipient.State.REFUSED: "danger",
        OutgoingRecipient.State.DEFERRED: "warn",
    }
    at = f" {_clock(person.decided_at)}" if person.decided_at else ""
    return OutRecipient(
        name=person.name or person.address,
        address=person.address if person.name else "",
        words=f"{person.get_state_display()}{at}",
        level=levels.get(person.state, ""),
        reply=_short(person),
    )


def _short(person: OutgoingRecipient) -> str:
    """An answer of the server in a word; the whole of a refusal stands above."""
    code = _CODE.match(person.reply)
    if code and person.state != OutgoingRecipient.State.ACCEPTED:
        return code.group()
    return person.reply or (str(person.code) if person.code else "")


def _actions(outgoing: Outgoing, people: list[OutgoingRecipient]) -> tuple[OutAction, ...]:
    """The likeliest first; what the services would refuse is not offered."""
    writable = outgoing.draft_id is not None and outgoing.sent_at is None
    edit = (OutAction("edit", _("Edit message"), main=outgoing.state == State.FAILED),) if writable else ()
    if outgoing.state == State.FAILED:
        return (
            *edit,
            OutAction("retry", _("Try again"), main=not writable),
            OutAction("settle", _("Leave it at that")),
        )
    if outgoing.state == State.PARTIAL:
        refused = [person for person in people if person.state != OutgoingRecipient.State.ACCEPTED]
        leave = (
            _("Leave %s out") % (refused[0].name or refused[0].address) if len(refused) == 1 else _("Leave them out")
        )
        return OutAction("retry", _("Try the refused again"), main=True), OutAction("settle", leave)
    if outgoing.state == State.UNKNOWN:
        return OutAction("settle", _("Mark as sent"), main=True), OutAction("retry", _("Send it again"))
    if outgoing.state == State.SENT and (outgoing.unanswered or outgoing.remind_at):
        rest = OutAction("dismiss", _("Let it rest") if outgoing.unanswered else _("No reminder"))
        return (OutAction("again", _("Write again"), main=True), rest) if outgoing.unanswered else (rest,)
    if outgoing.state == State.DEFERRED:
        leave_them = (OutAction("settle", _("Leave them out")),) if outgoing.sent_at else ()
        return OutAction("retry", _("Try now"), main=True), *edit, *leave_them
    if (
        outgoing.state == State.QUEUED
        and outgoing.claim is None
        and (writable or _answers_a_request(outgoing) or outgoing.mode == Draft.Mode.REDIRECT)
    ):
        if _waits(outgoing):
            return OutAction("edit", _("Edit or change the time"), main=True), OutAction("now", _("Send now"))
        return (OutAction("undo", _("Take it back"), main=True),)
    return ()


def _answers_a_request(outgoing: Outgoing) -> bool:
    return MessageAnswer.objects.filter(outgoing=outgoing).exists()


def _text(outgoing: Outgoing) -> str:
    draft = outgoing.draft
    if draft is None:
        return outgoing.snippet
    return draft.text if draft.plain else html_to_text(draft.html)


def _clock(at: datetime | None) -> str:
    return time_format(timezone.localtime(at), "H:i") if at else ""


def day_and_time(at: datetime) -> str:
    """In the reader's zone, as it stands after “Leaves”."""
    local = timezone.localtime(at)
    clock = time_format(local, "H:i")
    if local.date() == timezone.localdate():
        return _("today, %s") % clock
    return f"{date_format(local, 'D j M')}, {clock}"
