"""What a message is besides text and files, in words: reports, signed and encrypted mail, and mail too broken to show.

A report is its sender's claim. It is told as that, and tied only to messages that went out from the same account.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from webmail.models import Mailbox, Message, MessageBody, Placement, ReportedFate

from . import offered

_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class FateLine:
    """One recipient of a reported message; ``level`` is ok, warn or danger; ``url`` opens the report or is ""."""

    address: str
    words: str
    level: str
    reply: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class ReportCard:
    title: str
    sentence: str
    level: str
    lines: tuple[FateLine, ...]
    more: int
    original_subject: str = ""
    original_url: str = ""


@dataclass(frozen=True, slots=True)
class Special:
    """``blank``: there is no text, so that no frame is shown.

    ``locked_url`` downloads what is encrypted, ``signature_url`` the signature that stands in a part of its own.
    """

    notes: tuple[str, ...] = ()
    protection: str = ""
    encrypted: bool = False
    locked_url: str = ""
    signature_url: str = ""
    report: ReportCard | None = None
    outcomes: tuple[FateLine, ...] = ()
    blank: bool = False
    contacts: tuple[Mapping[str, Any], ...] = ()  # fields of mime.contact_cards.Card


NOTHING = Special()

_NOTES: dict[str, str | Promise] = {
    "empty": gettext_lazy("This message is empty."),
    "no-text": gettext_lazy("This message has no text, only what is attached."),
    "hidden": gettext_lazy("This message hides all of its words. They are shown without its design."),
    "too-deep": gettext_lazy("This message is nested too deeply to be taken apart. What is inside can be downloaded."),
    "too-many-parts": gettext_lazy("This message has more parts than can be shown. The rest is one file below."),
    "no-boundary": gettext_lazy("The structure of this message is broken. It is shown as the text that it is."),
    "unreadable": gettext_lazy("This message could not be taken apart. It is shown as the text that it is."),
    "headers-too-large": gettext_lazy("The header of this message is larger than can be read. Its end is left out."),
    "too-many-headers": gettext_lazy("This message has more header fields than can be read. The last are left out."),
}
_NO_HEADER = gettext_lazy("This message has no header: it names no sender, no subject and no date.")

_PROTECTION: dict[tuple[str, str], str | Promise] = {
    ("signed", "openpgp"): gettext_lazy("Signed with OpenPGP. Mailroom has not checked the signature."),
    ("signed", "smime"): gettext_lazy("Signed with S/MIME. Mailroom has not checked the signature."),
    ("encrypted", "openpgp"): gettext_lazy(
        "Encrypted with OpenPGP. It cannot be read here: download it and open it with the program that has your key."
    ),
    ("encrypted", "smime"): gettext_lazy(
        "Encrypted with S/MIME. It cannot be read here: download it and open it with the program that has your key."
    ),
}

_FATES: dict[str, tuple[str | Promise, str]] = {
    "failed": (gettext_lazy("not delivered"), "danger"),
    "delayed": (gettext_lazy("delayed"), "warn"),
    "delivered": (gettext_lazy("delivered"), "ok"),
    "relayed": (gettext_lazy("passed on"), "ok"),
    "expanded": (gettext_lazy("passed on to a list"), "ok"),
    "displayed": (gettext_lazy("opened"), "ok"),
    "dispatched": (gettext_lazy("passed on"), "ok"),
    "processed": (gettext_lazy("processed"), "ok"),
    "deleted": (gettext_lazy("deleted, perhaps unread"), "warn"),
    "denied": (gettext_lazy("no answer wished"), "warn"),
}

# RFC 3463: what the second number of a status means for whoever wrote the message
_ADVICE: dict[str, str | Promise] = {
    "1": gettext_lazy("The address is not known there. Look for a mistake in it, then send the message again."),
    "2": gettext_lazy("The recipient's mailbox cannot take mail at the moment. Try again later, or by another way."),
    "3": gettext_lazy("The recipient's server could not take the message. It may be too large for it."),
    "4": gettext_lazy("The recipient's server could not be reached. Look for a mistake behind the @, or try later."),
    "6": gettext_lazy("The recipient's server cannot handle what the message contains. Try it without attachments."),
    "7": gettext_lazy("The recipient's server does not want this message. Its own words say more."),
}


def special_of(message: Message, body: MessageBody | None, context: "Context") -> Special:
    """The values for one message; everything that needs the database was asked for in ``context``."""
    outcomes = context.outcomes.get(message.message_id, ())
    if body is None or body.state != MessageBody.State.HERE:
        return Special(outcomes=outcomes) if outcomes else NOTHING
    told: Mapping[str, Any] = body.special
    codes = told.get("notes", [])
    protection = told.get("protection") or {}
    report = told.get("report")
    notes = [str(_NOTES[code]) for code in codes if code in _NOTES]
    if body.problem:
        notes.append(_(body.problem))
    if not (message.people.get("from") or message.subject or message.sent_at):
        notes.insert(0, str(_NO_HEADER))
    return Special(
        notes=tuple(notes),
        protection=str(_PROTECTION.get((protection.get("kind", ""), protection.get("how", "")), "")),
        encrypted=protection.get("kind") == "encrypted",
        locked_url=_part_url(message, protection.get("path", "")),
        signature_url=_part_url(message, offered.signature_path(body)),
        report=_card(report, context) if report else None,
        outcomes=outcomes,
        blank=bool(told.get("blank")),
        contacts=tuple(told.get("cards", ())),
    )


def _part_url(message: Message, path: str) -> str:
    return reverse("mail:attachment", args=[message.pk, path]) if path else ""


# --- reports ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Context:
    """``originals``: subject and address of what reports are about, by id. ``outcomes``: what reports say, by id."""

    originals: Mapping[str, tuple[str, str]]
    outcomes: Mapping[str, tuple[FateLine, ...]]


def context_of(account_id: int, messages: Sequence[Message], *, own: Iterable[str]) -> Context:
    """One query where somebody's own messages are among these, one more where reports are."""
    mine = {*own}
    sent = {m.message_id for m in messages if m.message_id and m.from_address.lower() in mine}
    bodies = (getattr(message, "body", None) for message in messages)
    told = (body.special.get("report") for body in bodies if body is not None)
    wanted = {report["original_id"] for report in told if report and report.get("original_id")}
    return Context(
        originals=_originals(account_id, wanted, mine) if wanted else {},
        outcomes=outcomes(account_id, sent) if sent else {},
    )


def _originals(account_id: int, ids: set[str], own: set[str]) -> dict[str, tuple[str, str]]:
    """Those that this account sent, by where they lie."""
    columns = ("message_id", "subject", "from_address")
    placed = (
        Placement.objects.filter(
            account=account_id, message__account=account_id, message__message_id__in=ids, state=Placement.State.LIVE
        )
        .exclude(mailbox__role__in=[Mailbox.Role.TRASH, Mailbox.Role.JUNK])
        .values_list(*(f"message__{column}" for column in columns), "account", "mailbox", "thread", "message")
    )
    return {
        original: (
            subject or _("(no subject)"),
            reverse("mail:thread", args=[account, mailbox, thread]) + f"#m-{message}",
        )
        for original, subject, sender, account, mailbox, thread, message in placed
        if sender.lower() in own
    }


def outcomes(account_id: int, ids: Iterable[str]) -> dict[str, tuple[FateLine, ...]]:
    """What reports say of these messages, the last word for each address."""
    found: dict[str, dict[str, FateLine]] = defaultdict(dict)
    fates = ReportedFate.objects.filter(account=account_id, original_id__in=list(ids)).order_by("at", "pk")
    for fate in fates[:1_000]:
        found[fate.original_id][fate.address.lower()] = _line(fate.address, fate.action, fate.reply)
    return {original: tuple(lines.values()) for original, lines in found.items()}


def _line(address: str, action: str, reply: str) -> FateLine:
    words, level = _FATES.get(action, (action, ""))
    return FateLine(address=address, words=str(words), level=level, reply=reply)


def _card(report: Mapping[str, Any], context: Context) -> ReportCard:
    fates = report["fates"]
    subject, url = context.originals.get(report["original_id"], ("", ""))
    title, sentence, level = _reading(fates[0]) if report["kind"] == "reading" else _delivery(report)
    return ReportCard(
        title=title,
        sentence=sentence,
        level=level,
        lines=tuple(_line(fate["address"], fate["action"], fate["reply"]) for fate in fates[:_MOST_SHOWN]),
        more=max(0, len(fates) - _MOST_SHOWN),
        original_subject=subject,
        original_url=url,
    )


def _delivery(report: Mapping[str, Any]) -> tuple[str, str, str]:
    """By the worst that happened."""
    fates = report["fates"]
    reporter = report["reporter"] or _("A mail server")
    failed = [fate for fate in fates if fate["action"] == "failed"]
    if failed:
        title = (
            _("Your message could not be delivered to %s") % failed[0]["address"]
            if len(failed) == 1
            else _("Your message could not be delivered to %d addresses") % len(failed)
        )
        advice = {_advice(fate) for fate in failed}
        said = _("%s says so, and it will not be tried again by itself.") % reporter
        return title, f"{said} {advice.pop()}".strip() if len(advice) == 1 else said, "danger"
    delayed = [fate for fate in fates if fate["action"] == "delayed"]
    if delayed:
        title = _("Your message to %s is delayed") % ", ".join(fate["address"] for fate in delayed[:3])
        return title, _("%s goes on trying. There is nothing to do for now.") % reporter, "warn"
    return _("Your message was delivered"), _("%s says so.") % reporter, "ok"


def _advice(fate: Mapping[str, Any]) -> str:
    return str(_ADVICE.get(fate["status"].partition(".")[2].partition(".")[0], ""))


def _reading(fate: Mapping[str, Any]) -> tuple[str, str, str]:
    who = fate["address"]
    if fate["action"] == "displayed":
        return _("%s opened your message") % who, _("That it was opened does not say that it was read."), "ok"
    if fate["action"] == "deleted":
        return _("%s deleted your message") % who, _("Perhaps without having read it."), "warn"
    words = str(_FATES.get(fate["action"], (fate["action"], ""))[0])
    return _("An answer about your message from %s") % who, words[:1].upper() + words[1:] + ".", ""
