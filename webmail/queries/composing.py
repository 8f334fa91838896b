"""What a composer opens with: a blank sheet, an answer or a forward. Reads only; the first save makes the draft."""

from dataclasses import dataclass

from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.html import escape
from django.utils.translation import gettext

from accounts.models import Identity, User
from webmail.mime.addresses import Address, format_address
from webmail.mime.threads import base_subject
from webmail.mime.unsubscribe import ways_out
from webmail.models import Draft, Message, MessageBody
from webmail.render.compose import plain_lines, quote_html, quote_plain, with_own_pictures
from webmail.render.headers import PICTURES
from webmail.render.values import CleanHtml

from . import access
from .lists import own_addresses


@dataclass(frozen=True, slots=True)
class Opening:
    """The fields of a composer before anything was typed; ``html`` holds signature and quote."""

    identity: Identity | None
    sender: str = ""
    mode: str = Draft.Mode.NEW
    original: Message | None = None
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    html: str = ""


def blank(user: User, *, to: str = "", subject: str = "") -> Opening:
    identity = access.identities(user).order_by("account__position", "-is_default", "pk").first()
    bcc = identity.bcc if identity else ""
    return Opening(identity=identity, to=to, bcc=bcc, subject=subject, html=signature(identity))


def answer(user: User, original: Message, mode: str) -> Opening:
    """A reply, to the sender, all or the list, or a forward of the message, from the address it was written to."""
    identity = identity_for(user, original)
    own = own_addresses(user) | _covered(user, original)
    to: list[list[str]] = []
    cc: list[list[str]] = []
    if mode == Draft.Mode.REPLY_LIST and (address := list_address(original)):
        to = [["", address]]
    elif mode not in Draft.FORWARDS:
        to, cc = _recipients(original, own, everyone=mode != Draft.Mode.REPLY)
    quote = "" if mode == Draft.Mode.FORWARD_FILE else _quote(original, mode)
    return Opening(
        identity=identity,
        sender=sender_for(identity, original),
        mode=mode,
        original=original,
        to=format_people(to),
        cc=format_people(cc),
        bcc=identity.bcc if identity else "",
        subject=_subject(original.subject, mode),
        html=signature(identity) + quote,
    )


def again(user: User, original: Message) -> Opening:
    """The message once more as a new one: its people, subject, text and files."""
    people = original.people
    body = MessageBody.objects.filter(message=original, state=MessageBody.State.HERE).first()
    if body is not None and body.has_html:
        html = with_own_pictures(body.clean_html, own_pictures(original, body))
    else:
        html = plain_lines(body.text if body else "")
    return Opening(
        identity=(identity := identity_for(user, original)),
        sender=sender_for(identity, original),
        mode=Draft.Mode.AGAIN,
        original=original,
        to=format_people(people.get("to", [])),
        cc=format_people(people.get("cc", [])),
        bcc=format_people(people.get("bcc", [])),
        subject=original.subject,
        html=html,
    )


def list_address(original: Message) -> str:
    """Where the mailing list takes mail (List-Post, RFC 2369 section 3.4); "" where there is none."""
    letter = ways_out(original.extra.get("list_post", "")).letter
    return letter.to if letter is not None else ""


def content_id(message_id: int, path: str) -> str:
    """What a picture of a message is called in answers to it. Its own name was chosen by a stranger."""
    return f"{path}.{message_id}@mailroom"


def own_pictures(original: Message, body: MessageBody) -> dict[str, str]:
    """By the relative URL in the stored text: the content ids of the message's own pictures."""
    shown = (part["path"] for part in body.parts if part["type"] in PICTURES)
    return {f"c/{path}": content_id(original.pk, path) for path in shown}


def go_on(user: User, original: Message) -> Draft | Opening:
    """A draft on the server: ours again where it is, else what another program wrote, to go on with."""
    ours = Draft.objects.filter(user=user, account=original.account_id, closed_at=None, message_id=original.message_id)
    known = ours.exclude(message_id="").order_by("-updated_at").first()
    if known is not None:
        return known
    return again(user, original)


def identity_for(user: User, original: Message) -> Identity | None:
    """The identity the message was written to, else the account's default."""
    addressed = _addressed(original)
    mine = [identity for identity in access.identities(user) if identity.account_id == original.account_id]
    for identity in mine:
        if identity.address.lower() in addressed:
            return identity
    for identity in sorted(mine, key=lambda one: one.stands_for_domain):
        if any(identity.covers(address) for address in addressed):
            return identity
    named = [identity for identity in mine if not identity.stands_for_domain] or mine
    return named[0] if named else access.identities(user).first()


def sender_for(identity: Identity | None, original: Message) -> str:
    """The address that the message was written to, where it is not the identity's own; else ""."""
    addressed = _addressed(original)
    if identity is None or identity.address.lower() in addressed:
        return ""
    return next((address for address in sorted(addressed) if identity.covers(address)), "")


def address_for(identity: Identity, original: Message) -> str:
    """The address to answer the message from; "" where a whole domain is meant and none of it was written to."""
    return sender_for(identity, original) or ("" if identity.stands_for_domain else identity.address)


def _addressed(original: Message) -> set[str]:
    people = original.people
    return {pair[1].lower() for key in ("to", "cc", "bcc", "from") for pair in people.get(key, [])}


def _covered(user: User, original: Message) -> set[str]:
    """Addresses of the message that are the person's own without being written down: tags, those of a whole domain."""
    identities = list(access.identities(user))
    return {address for address in _addressed(original) if any(one.covers(address) for one in identities)}


def format_people(pairs: list[list[str]]) -> str:
    return ", ".join(format_address(Address(name=pair[0], addr_spec=pair[1])) for pair in pairs)


def _recipients(original: Message, own: frozenset[str], *, everyone: bool) -> tuple[list[list[str]], list[list[str]]]:
    """To and Cc of an answer (RFC 5322 section 3.6.2); own addresses never become recipients."""
    people = original.people
    written_by_me = original.from_address.lower() in own
    to = people.get("to", []) if written_by_me else people.get("reply_to") or people.get("from", [])
    if not everyone:
        return _once(to, own if not written_by_me else frozenset()), []
    rest = people.get("cc", []) if written_by_me else people.get("to", []) + people.get("cc", [])
    first = _once(to, own if not written_by_me else frozenset())
    taken = own | {pair[1].lower() for pair in first}
    return first, _once(rest, taken)


def _once(pairs: list[list[str]], without: frozenset[str]) -> list[list[str]]:
    kept = {pair[1].lower(): pair for pair in reversed(pairs) if pair[1]}
    return [pair for address, pair in reversed(kept.items()) if address not in without]


def _subject(subject: str, mode: str) -> str:
    base, _ = base_subject(subject)
    return f"{'Fwd' if mode in Draft.FORWARDS else 'Re'}: {base or subject}".strip()


def signature(identity: Identity | None) -> str:
    """An empty line to write on, and below it how the identity signs."""
    if identity is not None and identity.signature_html:
        return f"<p><br></p><div>-- <br>{identity.signature_html}</div>"
    if identity is None or not identity.signature.strip():
        return "<p><br></p>"
    lines = "<br>".join(escape(line) for line in identity.signature.strip().splitlines())
    return f"<p><br></p><div>-- <br>{lines}</div>"


def _quote(original: Message, mode: str) -> str:
    body = MessageBody.objects.filter(message=original, state=MessageBody.State.HERE).first()
    attribution = _attribution(original, mode)
    if body is not None and body.has_html:
        return quote_html(CleanHtml(html=body.clean_html), attribution, pictures=own_pictures(original, body))
    return quote_plain(body.text if body else original.snippet, attribution)


def _attribution(original: Message, mode: str) -> str:
    at = timezone.localtime(original.sent_at or original.received_at)
    when = f"{date_format(at, 'j F Y')}, {time_format(at, 'H:i')}"
    who = original.from_name or original.from_address
    if mode == Draft.Mode.FORWARD:
        sender = format_people([[original.from_name, original.from_address]])
        return gettext("Forwarded message from %(who)s, %(when)s: %(subject)s") % {
            "who": sender,
            "when": when,
            "subject": original.subject,
        }
    return gettext("On %(when)s, %(who)s wrote:") % {"when": when, "who": who}
