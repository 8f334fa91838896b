"""A conversation ready to print: its messages across mailboxes, once each, oldest first."""

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core import signing
from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from accounts.models import User
from webmail.mime.lookalike import shown_address
from webmail.mime.threads import base_subject
from webmail.models import Flag, Mailbox, Message, MessageBody, Placement, PopUid, Thread
from webmail.render.headers import PICTURES

from . import (
    invitations,
    labels,
    offered,
    previews,
    receipts,
    remote_images,
    singles,
    special,
    trust_panel,
    unsubscribing,
)
from .columns import Columns
from .composing import list_address
from .invitations import InvitationCard
from .lists import own_addresses, sender_words
from .nav import display_name
from .receipts import Receipt
from .remote_images import RemoteImages
from .trust_panel import TrustPanel
from .unsubscribing import WayOut
from .values import AddressLine, AttachmentChip, LeftOnServer, ReadMessage, ReadThread

FRAME_SALT = "webmail.frame"  # purpose of the token in a frame's address; good for nothing else
FRAME_SECONDS = 3600
_ASIDE = {Mailbox.Role.TRASH.value, Mailbox.Role.JUNK.value}
_LARGEST_THUMB = 2 * 2**20  # octets of a picture that is fetched for its chip
_UNFOLDED = 5  # frames opened at once; the rest are one click away
_PLACE = Columns(Placement, "placement")
_LETTER = Columns(Message, "message", without=["structure"])
_BODY = Columns(MessageBody, "body", without=["text", "clean_html", "stylesheet", "image_urls"])
_BOX = Columns(Mailbox, "mailbox", ["id", "account_id", "name", "delimiter", "role"])  # what is said of where it lies
_CONVERSATION = f"""
SELECT {_PLACE.sql}, {_LETTER.sql}, {_BOX.sql}, {_BODY.sql}
  FROM webmail_placement AS placement
  JOIN accounts_mailaccount AS account ON account.id = placement.account_id
  JOIN webmail_message AS message ON message.id = placement.message_id
  JOIN webmail_mailbox AS mailbox ON mailbox.id = placement.mailbox_id
  LEFT JOIN webmail_messagebody AS body ON body.message_id = message.id
 WHERE placement.thread_id = %s AND account.user_id = %s AND placement.state = %s
 ORDER BY placement.received_at, placement.id
"""  # noqa: S608  column names of our models
_NEIGHBOURS = """
SELECT (SELECT near.thread_id FROM webmail_mailboxthread AS near
         WHERE near.mailbox_id = line.mailbox_id
           AND (near.newest_at, near.thread_id) > (line.newest_at, line.thread_id)
         ORDER BY near.newest_at, near.thread_id LIMIT 1),
       (SELECT near.thread_id FROM webmail_mailboxthread AS near
         WHERE near.mailbox_id = line.mailbox_id
           AND (near.newest_at, near.thread_id) < (line.newest_at, line.thread_id)
         ORDER BY near.newest_at DESC, near.thread_id DESC LIMIT 1)
  FROM webmail_mailboxthread AS line
 WHERE line.mailbox_id = %s AND line.thread_id = %s
"""  # the next newer conversation, the next older one
_LABELS = (("from", "From"), ("reply_to", "Reply to"), ("to", "To"), ("cc", "Cc"), ("bcc", "Bcc"))


def conversation(
    user: User, thread: Thread, mailbox: Mailbox | None, *, only: int | None = None, once: Collection[int] = ()
) -> ReadThread:
    """The thread as seen from a mailbox: what lies in Spam or Trash shows only there.

    ``only`` shows one message of it alone, as lists of single messages do, between its neighbours in such a list.
    ``once`` are messages whose pictures on other servers are shown this once.
    """
    placements = _placements(user, thread, mailbox, only)
    own = own_addresses(user)
    wanted = _unfolded(placements)
    left = _left_on_server(placements)
    images = remote_images.of_messages(user, placements, once)
    told = special.context_of(thread.account_id, [placement.message for placement in placements], own=own)
    panels = trust_panel.panels(user, thread, placements, own=own)
    ways_out = unsubscribing.of_messages(thread.account, placements)
    inviting = invitations.of_messages(placements, own=own)
    asking = receipts.of_messages(placements, own=own)
    messages = tuple(
        _message(
            user,
            placement,
            own=own,
            folded=placement.pk not in wanted,
            left=left,
            told=told,
            images=images,
            panels=panels,
            ways_out=ways_out,
            asking=asking,
            inviting=inviting,
        )
        for placement in placements
    )
    back = reverse("mail:mailbox", args=[mailbox.account_id, mailbox.pk]) if mailbox else reverse("mail:unified")
    if only is None:
        newer, older, position = _neighbours(thread, mailbox)
    else:
        newer, older = singles.neighbours(only, mailbox) if mailbox and not user.conversations else ("", "")
        position = ""
    subject = placements[0].message.subject if only and placements else thread.subject
    people = {p.message.from_address.lower() for p in placements}
    return ReadThread(
        id=thread.pk,
        subject=subject or gettext("(no subject)"),
        message_count=len(placements),
        people_count=len(people),
        starred=any(p.flags & Flag.FLAGGED for p in placements),
        unread=any(not p.flags & Flag.SEEN for p in placements),
        chips=labels.chips({word for p in placements for word in p.keywords}, user.label_hues),
        labels=labels.choices(
            user, mailbox, [p.keywords for p in placements if mailbox is None or p.mailbox_id == mailbox.pk]
        ),
        position_words=position,
        newer_url=newer,
        older_url=older,
        back_url=back,
        messages=messages,
        single=only or 0,
    )


def frame_token(user: User, message_id: int, *, remote: bool = False) -> str:
    """Names a message's frame to whoever holds it for an hour: frames have no cookies, so their address speaks."""
    return signing.dumps({"u": user.pk, "m": message_id, "r": int(remote)}, salt=FRAME_SALT, compress=False)


def read_frame_token(token: str) -> dict[str, int] | None:
    """The person (u), message (m) and whether remote pictures are shown (r); None for anything we did not sign."""
    try:
        value = signing.loads(token, salt=FRAME_SALT, max_age=FRAME_SECONDS)
        return {key: int(value[key]) for key in ("u", "m", "r")}
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        return None


def _lines(user: User, thread: Thread) -> Iterator[Placement]:
    """Where the conversation's messages lie, each with its message, body and mailbox, in the order they came."""
    with connection.cursor() as cursor:
        cursor.execute(_CONVERSATION, [thread.pk, user.pk, Placement.State.LIVE])
        rows = cursor.fetchall()
    for row in rows:
        values = iter(row)
        placement, message = _PLACE.take(values), _LETTER.take(values)
        placement.message, placement.mailbox = message, _BOX.take(values)
        if body := _BODY.take_joined(values):
            body.message = message  # known from both sides
        else:
            Message._meta.get_field("body").set_cached_value(message, None)
        yield placement


def _placements(user: User, thread: Thread, mailbox: Mailbox | None, only: int | None) -> list[Placement]:
    here = mailbox.pk if mailbox else 0
    aside = mailbox is not None and mailbox.role in _ASIDE
    best: dict[Any, Placement] = {}
    for placement in _lines(user, thread):
        if placement.flags & Flag.DELETED or (placement.mailbox.role in _ASIDE) != aside:
            continue
        if only is not None and placement.message_id != only:
            continue
        key = _identity(placement.message)
        known = best.get(key)
        if known is None or (placement.mailbox_id == here and known.mailbox_id != here):
            best[key] = placement
    return sorted(best.values(), key=lambda p: (p.message.sent_at or p.received_at, p.pk))


def _identity(message: Message) -> Hashable:
    """Equal for copies of one message, in Sent and as received, directly and by a list. The Message-ID alone says
    nothing: anybody can write one that is known, and what they sent must not hide what it claims to be.
    """
    if not message.message_id:
        return message.pk
    subject, _ = base_subject(message.subject)
    return message.message_id, message.from_address.lower(), message.sent_at, subject.casefold()


def _unfolded(placements: Sequence[Placement]) -> set[int]:
    unread = [p.pk for p in placements if not p.flags & Flag.SEEN]
    last = [placements[-1].pk] if placements else []
    return {*unread[-_UNFOLDED:], *last}


def _left_on_server(placements: Sequence[Placement]) -> dict[int, LeftOnServer]:
    """By message, those of which POP3 brought the beginning alone; asks only when there is one."""
    sizes = {p.message_id: p.message.size for p in placements if p.message.extra.get("not_downloaded")}
    if not sizes:
        return {}
    asked = (PopUid.State.TOO_LARGE, PopUid.State.WANTED)
    rows = PopUid.objects.filter(account=placements[0].account_id, message__in=sizes, state__in=asked, gone_at=None)
    found = {row.message_id: row for row in rows}
    return {pk: _left(size, found.get(pk)) for pk, size in sizes.items()}


def _left(size: int, row: PopUid | None) -> LeftOnServer:
    if row is None:
        return LeftOnServer(size, 0, wanted=False, listed=False)
    return LeftOnServer(row.size, row.octets, row.state == PopUid.State.WANTED, listed=True, problem=row.problem)


def _message(
    user: User,
    placement: Placement,
    *,
    own: frozenset[str],
    folded: bool,
    left: Mapping[int, LeftOnServer],
    told: special.Context,
    images: Mapping[int, RemoteImages],
    panels: Mapping[int, TrustPanel],
    ways_out: Mapping[int, WayOut],
    asking: Mapping[int, Receipt],
    inviting: Mapping[int, InvitationCard],
) -> ReadMessage:
    message = placement.message
    remote = images.get(message.pk)
    token = frame_token(user, message.pk, remote=bool(remote and remote.shown))
    body: MessageBody | None = getattr(message, "body", None)
    people = message.people
    state = body.state if body and body.state != MessageBody.State.WANTED else "fetching"
    panel = panels.get(message.pk)
    mine = message.from_address.lower() in own and not (panel and panel.failed)
    address = shown_address(message.from_address)
    draft = bool(placement.flags & Flag.DRAFT) or placement.mailbox.role == Mailbox.Role.DRAFTS
    compose = reverse("mail:compose")
    frame_url = settings.CONTENT_ORIGIN + reverse("mail:frame", args=[token])
    return ReadMessage(
        id=message.pk,
        from_name=message.from_name or address,
        from_address=address,
        to_words=_to_words(people, own),
        recipients=tuple(
            (gettext(label), tuple(AddressLine(pair[0], shown_address(pair[1])) for pair in people[key]))
            for key, label in _LABELS
            if people.get(key)
        ),
        when=message.sent_at or message.received_at,
        folded=folded,
        unread=not placement.flags & Flag.SEEN,
        starred=bool(placement.flags & Flag.FLAGGED),
        snippet=message.snippet,
        verified=panel is not None and panel.verified,
        trust=panel,
        body_url=frame_url,
        body_state=state,
        body_error=body.error if body else "",
        remote=remote,
        attachments=tuple(_chip(message.pk, part) for part in (offered.files(body) if body else ())),
        draft=draft,
        reply_url=f"{compose}?reply={message.pk}" + ("" if draft else "&mode=reply"),  # of a draft: go on writing it
        reply_all_url=f"{compose}?reply={message.pk}&mode=all" if len(_others(people, own)) > 1 else "",
        reply_list_url=f"{compose}?reply={message.pk}&mode=list" if list_address(message) else "",
        forward_url=f"{compose}?reply={message.pk}&mode=forward",
        forward_file_url=f"{compose}?reply={message.pk}&mode=file",
        again_url=f"{compose}?reply={message.pk}&mode=again",
        redirect_url=reverse("mail:redirect", args=[message.pk]),
        source_url=reverse("mail:source", args=[message.pk]),
        way_out=ways_out.get(message.pk),
        receipt=asking.get(message.pk),
        invitation=inviting.get(message.pk),
        is_plain=body is not None and not body.has_html,
        html_frame=body is not None and body.has_html and body.designed,
        folder=display_name(placement.mailbox),
        avatar_name=message.from_name,
        avatar_address=message.from_address,
        mine=mine,
        left=left.get(message.pk),
        special=special.special_of(message, body, told),
        mailbox_id=placement.mailbox_id,
        alone_url=reverse(
            "mail:single", args=[placement.account_id, placement.mailbox_id, placement.thread_id, message.pk]
        ),
        headers_url=reverse("mail:headers", args=[message.pk]),
        print_url=f"{frame_url}print",
        ground_url=f"{frame_url}?ground=dark" if body is not None and body.has_html and body.designed else "",
    )


def _others(people: dict[str, list[list[str]]], own: frozenset[str]) -> set[str]:
    everyone = [pair[1].lower() for key in ("from", "to", "cc") for pair in people.get(key, [])]
    return set(everyone) - own


def _to_words(people: dict[str, list[list[str]]], own: frozenset[str]) -> str:
    """ "to me, Amara, Bo and 57 others": the first few by name."""
    recipients: dict[str, list[str]] = {}
    for name, address, *_ in people.get("to", []) + people.get("cc", []):
        if not (name or address):
            continue
        recipients.setdefault(address.lower() or name, [name, address])
    if not recipients:
        return gettext("to nobody named")
    alone = len(recipients) == 1 and next(iter(recipients)) in own
    names = gettext("me") if alone else sender_words([*recipients.values()], own)
    words = gettext("to %s") % names
    others = len(recipients) - names.count(", ") - 1  # some have the same first name
    return words + (" " + ngettext("and %d other", "and %d others", others) % others if others > 0 else "")


def _chip(message_id: int, part: dict[str, Any]) -> AttachmentChip:
    url = reverse("mail:attachment", args=[message_id, part["path"]])
    kind = part["type"]
    small_picture = kind in PICTURES and part["size"] <= _LARGEST_THUMB
    return AttachmentChip(
        filename=part["filename"] or gettext("attachment"),
        size=part["size"],
        icon=_chip_icon(kind),
        view_url=previews.url_of(message_id, kind, part["path"], part["size"]),
        download_url=url,
        thumb_url=f"{url}?inline=1" if small_picture else "",
    )


def _chip_icon(kind: str) -> str:
    if "spreadsheet" in kind or kind in ("text/csv", "application/vnd.ms-excel"):
        return "sheet"
    known = {"image": "image", "message": "mail"}
    return "calendar" if kind == "text/calendar" else known.get(kind.partition("/")[0], "file")


def _neighbours(thread: Thread, mailbox: Mailbox | None) -> tuple[str, str, str]:
    """Addresses of the next newer and older conversation in the mailbox: two index look-ups in one statement."""
    if mailbox is None:
        return "", "", ""
    with connection.cursor() as cursor:
        cursor.execute(_NEIGHBOURS, [mailbox.pk, thread.pk])
        newer, older = cursor.fetchone() or (None, None)
    base = reverse("mail:mailbox", args=[mailbox.account_id, mailbox.pk])
    return (f"{base}{newer}/" if newer else "", f"{base}{older}/" if older else "", "")
