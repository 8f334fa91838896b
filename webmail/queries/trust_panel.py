"""What a page says about a message's sender: nothing while all is well, one line when there is something to say, and
the evidence behind it. No certainty is claimed: what could not be checked is called that.

Levels: danger for a failed check of a domain that asks to be believed, and for a name that looks like a known one;
warn for what deserves a second look; note for what is merely worth knowing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext, gettext_noop, ngettext

from accounts.models import User
from webmail.mime.authentication import Result, Verdict
from webmail.mime.domains import domain_of, site
from webmail.mime.lookalike import closest, is_disguised, shown_address, shown_domain
from webmail.models import Mailbox, Message, MessageBody, Placement, Thread

from . import acquaintances, trust
from .acquaintances import Acquaintances

Level = Literal["", "note", "warn", "danger"]
_ORDER: tuple[Level, ...] = ("danger", "warn", "note")
_MINE = {Mailbox.Role.SENT.value, Mailbox.Role.DRAFTS.value}
_MOST_LINKS = 8


@dataclass(frozen=True, slots=True)
class Remark:
    level: Level
    words: str


@dataclass(frozen=True, slots=True)
class SuspectLink:
    """``claimed`` is "" where the letters of ``host`` are the disguise."""

    claimed: str
    host: str


@dataclass(frozen=True, slots=True)
class TrustPanel:
    """``level`` "" shows no line. ``check`` says in words what came of the sender's check, ``evidence`` who made it.

    ``known`` is somebody the person has written to.
    """

    level: Level
    known: bool
    verified: bool
    failed: bool
    remarks: tuple[Remark, ...]
    check: str
    evidence: tuple[tuple[str, str], ...]
    links: tuple[SuspectLink, ...] = ()
    more_links: int = 0

    @property
    def headline(self) -> str:
        return self.remarks[0].words if self.remarks else ""

    @property
    def rest(self) -> tuple[Remark, ...]:
        return self.remarks[1:]

    @property
    def doubtful(self) -> bool:
        return self.level in ("warn", "danger")


def panels(
    user: User, thread: Thread, placements: Sequence[Placement], *, own: frozenset[str]
) -> dict[int, TrustPanel]:
    """By message; what the person wrote has none. The placements are of one conversation, oldest first."""
    received = [one for one in placements if one.mailbox.role not in _MINE]
    if not received:
        return {}
    believed = thread.account.incoming.believed
    known = acquaintances.of_senders(user, received, own=own)
    return {one.message_id: _panel(one.message, trust.verdict(one.message, believed), known) for one in received}


def _panel(message: Message, verdict: Verdict, known: Acquaintances) -> TrustPanel:
    verified = verdict.standing == "verified"
    body: MessageBody | None = getattr(message, "body", None)
    pairs = body.suspect_links if body is not None else []
    links = [SuspectLink(shown_domain(claimed), host) for claimed, host in pairs]
    remarks = sorted(
        [
            *_of_check(message, verdict),
            *_of_address(message, known),
            *_of_name(message, verified=verified, known=known),
            *_of_replies(message, verified=verified, known=known),
            *_of_links(links, verified=verified),
        ],
        key=lambda remark: _ORDER.index(remark.level),
    )
    level = remarks[0].level if remarks else ""
    return TrustPanel(
        level=level,
        known=known.knows(message.from_address),
        verified=verified and level in ("", "note"),
        failed=verdict.standing == "failed",
        remarks=tuple(remarks),
        check=_check_words(message, verdict),
        evidence=tuple(_evidence(message, verdict)),
        links=tuple(links[:_MOST_LINKS]),
        more_links=max(len(links) - _MOST_LINKS, 0),
    )


# --- remarks ---------------------------------------------------------------------------------------------------------

_ODDITIES = {
    "multiple-from": gettext_noop("This message names more than one sender."),
    "multiple-authors": gettext_noop("This message names more than one author. Only the first is shown above."),
    "several-addresses": gettext_noop("The sender's line holds more than one address."),
    "invalid-address": gettext_noop("The sender's address is malformed."),
    "encoded-address": gettext_noop("The sender's address is disguised by an encoding."),
    "no-from": gettext_noop("This message names no sender."),
    "bidi": gettext_noop("The sender's name held hidden characters that change its reading order."),
    "zero-width": gettext_noop("The sender's name held invisible characters."),
    "control": gettext_noop("The sender's name held control characters."),
    "padding": gettext_noop("The sender's name was padded with blanks, as if to hide the address."),
    "too-many-headers": gettext_noop("This message has more header fields than are read."),
    "headers-too-large": gettext_noop("This message has a longer header than is read."),
}


def _of_check(message: Message, verdict: Verdict) -> Iterator[Remark]:
    if verdict.standing != "failed":
        return
    address = shown_address(message.from_address)
    if verdict.lenient:
        words = gettext("The check of this sender failed. It may not come from %s, or was changed on its way.")
        yield Remark("warn", words % isolated(address))
    else:
        words = gettext("This message failed the check of its sender. It is likely not from %s.")
        yield Remark("danger", words % isolated(address))


def _of_address(message: Message, known: Acquaintances) -> Iterator[Remark]:
    warnings = message.extra.get("warnings", ())
    for code, words in _ODDITIES.items():
        if code in warnings:
            yield Remark("warn", gettext(words))
    if "subject-bidi" in warnings:
        yield Remark("note", gettext("The subject held hidden characters that change its reading order."))
    if "address-in-name" in warnings:
        words = gettext("The sender's name looks like an address, but the address is %s.")
        yield Remark("warn", words % isolated(shown_address(message.from_address)))
    domain = domain_of(message.from_address)
    if not domain or known.knows(message.from_address):
        return
    if site(domain) not in known.sites:
        how, like = closest(domain, known.domains, own=known.own_domains)
        if how:
            yield _likeness(how, domain, like, own=like in known.own_domains)
            return
    if is_disguised(domain):
        yield Remark("warn", gettext("The sender's domain is written with letters that look like others."))


def _likeness(how: str, domain: str, like: str, *, own: bool) -> Remark:
    if how == "borrowed":
        words = gettext("%(domain)s uses your organisation's name, but is not %(known)s.")
    elif own:
        words = gettext("%(domain)s looks like your own %(known)s, but is another.")
    else:
        words = gettext("%(domain)s looks like %(known)s, to which you have written, but is another.")
    names = {"domain": isolated(shown_domain(domain)), "known": isolated(shown_domain(like))}
    return Remark("danger" if how == "alike" else "warn", words % names)


def _of_name(message: Message, *, verified: bool, known: Acquaintances) -> Iterator[Remark]:
    address = message.from_address.lower()
    if not address or known.knows(address):
        return
    other = known.names.get(message.from_name, "")
    if other and other != address:
        words = gettext("You know %(name)s by another address, %(address)s.")
        names = {"name": isolated(message.from_name), "address": isolated(shown_address(other))}
        yield Remark("note" if verified else "warn", words % names)
    elif address in known.newcomers:
        yield Remark("note", gettext("First message from %s.") % isolated(shown_address(address)))


def _of_replies(message: Message, *, verified: bool, known: Acquaintances) -> Iterator[Remark]:
    """Answers that would leave the sender's site: quiet where the sender is known or vouched for."""
    author = site(domain_of(message.from_address))
    for _, address in (pair[:2] for pair in message.people.get("reply_to", [])[: acquaintances.MOST_ANSWERS]):
        elsewhere = site(domain_of(address)) != author
        if elsewhere and author and not known.knows(address) and not (verified and message.list_id):
            words = gettext("Answers go to %s, not to the sender's domain.") % isolated(shown_address(address))
            yield Remark("note" if verified or known.knows(message.from_address) else "warn", words)
            return


def _of_links(links: Sequence[SuspectLink], *, verified: bool) -> Iterator[Remark]:
    disguised = sum(1 for link in links if not link.claimed)
    others = len(links) - disguised
    if disguised:
        words = ngettext(
            "%d link leads to a host written with letters that look like others.",
            "%d links lead to hosts written with letters that look like others.",
            disguised,
        )
        yield Remark("warn", words % disguised)
    if others:
        words = ngettext(
            "%d link names another site than it leads to.", "%d links name other sites than they lead to.", others
        )
        yield Remark("note" if verified else "warn", words % others)


# --- evidence --------------------------------------------------------------------------------------------------------


def _check_words(message: Message, verdict: Verdict) -> str:
    domain = isolated(shown_domain(domain_of(message.from_address)))
    if verdict.standing == "verified":
        return gettext("This message does come from %s.") % isolated(shown_domain(verdict.by))
    if verdict.standing == "failed":
        return gettext("Failed: the rules of %s do not allow this message.") % domain
    if verdict.standing == "unverified":
        return gettext("Mailroom could not verify that this message comes from %s.") % domain
    return gettext("Mailroom could not verify the sender: no mail server it believes has checked.")


def _evidence(message: Message, verdict: Verdict) -> Iterator[tuple[str, str]]:
    for label, results in (("DMARC", verdict.dmarc), ("DKIM", verdict.dkim), ("SPF", verdict.spf)):
        if results:
            yield label, ", ".join(dict.fromkeys(_result_words(result) for result in results[:6]))
    if verdict.services:
        yield gettext("Checked by"), ", ".join(verdict.services[:4])
    elif name := trust.topmost_service(message):  # so that an administrator can be told whom to name
        yield gettext("Not believed"), name


def _result_words(result: Result) -> str:
    domain = shown_domain(result.domain)
    return f"{result.result[:20]} ({domain[:255]})" if domain else result.result[:20]


def isolated(text: str) -> str:
    """The text between isolates, so that its direction does not reorder the sentence around it."""
    return f"\u2068{text}\u2069"
