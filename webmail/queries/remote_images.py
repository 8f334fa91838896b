"""Pictures on other servers: whether a message shows them to its reader, what may be offered, and what is here of them.

They are held back unless the reader says so: for this once; for a sender, which counts only while the sender's domain
vouches for the message (criterion S15); or in general, which counts unless it says that the message is not the
sender's. Nothing said before counts in Spam and Trash, and in Spam not even this once.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.core import signing
from django.utils import timezone

from accounts.models import MailAccount, User
from webmail.models import Mailbox, MessageBody, Placement, RemoteImage, SenderTrust
from webmail.render import pictures
from webmail.render.trackers import is_tracker

from .image_addresses import Claim
from .trust import verdict

SHOWN_SALT = "webmail.images-shown-once"
SHOWN_SECONDS = 3600
TRY_AGAIN = timedelta(minutes=2)  # what failed is asked for again then
_AGAINST = {Mailbox.Role.JUNK.value: "junk", Mailbox.Role.TRASH.value: "trash"}

Why = Literal["", "once", "sender", "preference"]


@dataclass(frozen=True, slots=True)
class RemoteImages:
    """What the line above a message says. ``shown`` is why pictures are shown, "" while they are held back."""

    count: int
    backgrounds: int
    trackers: int
    address: str
    shown: Why = ""
    may_once: bool = False
    may_always: bool = False
    place: str = ""  # junk | trash: where nothing said before counts
    stale: bool = False  # cleaned before places were kept: has to be read again first


def of_messages(user: User, placements: Sequence[Placement], once: Collection[int]) -> dict[int, RemoteImages]:
    """By message, those that have pictures on other servers or trackers. ``once``: messages shown for this once."""
    with_some = [placement for placement in placements if _body(placement) is not None]
    if not with_some:
        return {}
    account = MailAccount.objects.select_related("incoming").get(pk=with_some[0].account_id)
    senders = {placement.message.from_address.lower() for placement in with_some}
    trusted = set(SenderTrust.objects.filter(user=user, address__in=senders).values_list("address", flat=True))
    believed = account.incoming.believed
    return {
        placement.message_id: _one(
            placement,
            standing=verdict(placement.message, believed).standing,
            always=placement.message.from_address.lower() in trusted,
            everybody=not user.hide_remote_images,
            once=placement.message_id in once,
        )
        for placement in with_some
    }


def _body(placement: Placement) -> MessageBody | None:
    body: MessageBody | None = getattr(placement.message, "body", None)
    some = body is not None and body.state == MessageBody.State.HERE
    return body if body and some and (body.remote_images or body.remote_backgrounds or body.trackers) else None


def _one(placement: Placement, *, standing: str, always: bool, everybody: bool, once: bool) -> RemoteImages:
    body = _body(placement)
    assert body is not None  # those without were left out
    place = _AGAINST.get(placement.mailbox.role, "")
    verified = standing == "verified"
    shown: Why = ""
    if body.remote_images and place != "junk":
        if once:
            shown = "once"
        elif not place and always and verified:
            shown = "sender"
        elif not place and everybody and standing != "failed":
            shown = "preference"
    return RemoteImages(
        count=body.remote_images,
        backgrounds=body.remote_backgrounds,
        trackers=body.trackers,
        address=placement.message.from_address,
        shown=shown,
        may_once=bool(body.remote_images) and place != "junk",
        may_always=bool(body.remote_images) and not place and verified,
        place=place,
        stale=bool(body.remote_images) and body.clean_version < pictures.SINCE_VERSION,
    )


def once_token(user: User, message_id: int) -> str:
    """Says in a page's address that the person wants this message's pictures shown, for an hour; opens nothing."""
    return signing.dumps([user.pk, message_id], salt=SHOWN_SALT)


def shown_once(user: User, tokens: Collection[str]) -> dict[int, str]:
    """The messages that the person's own tokens name, with their tokens."""
    named: dict[int, str] = {}
    for token in list(tokens)[:100]:
        try:
            owner, message_id = signing.loads(token, salt=SHOWN_SALT, max_age=SHOWN_SECONDS)
        except (signing.BadSignature, ValueError, TypeError):
            continue
        if owner == user.pk:
            named[message_id] = token
    return named


def trusted_senders(user: User) -> list[SenderTrust]:
    """Those whose images the person always wants shown, by address."""
    return list(SenderTrust.objects.filter(user=user).order_by("address"))


# --- one picture, for the proxy --------------------------------------------------------------------------------------


def told(message_id: int, key: str) -> str:
    """The name in the cache by which whoever waits for the picture hears that its row has its end."""
    return f"image:{message_id}:{key}"


@dataclass(frozen=True, slots=True)
class Found:
    """A picture of a message: ``state`` is tracker | here | failed | wanted; ``file`` its name in storage."""

    state: Literal["tracker", "here", "failed", "wanted"]
    file: str = ""
    media_type: str = ""
    size: int = 0


def find(claim: Claim) -> Found | None:
    """None when the person has no such message, or the message no such picture."""
    urls = (
        MessageBody.objects.filter(message=claim.message_id, account__user=claim.user_id, account__user__is_active=True)
        .values_list("image_urls", flat=True)
        .first()
    )
    url = pictures.url_of(claim.key, urls or ())
    if not url:
        return None
    if is_tracker(url):
        return Found("tracker")
    row = RemoteImage.objects.filter(message=claim.message_id, key=claim.key).first()
    if row is None or row.state == RemoteImage.State.FETCHING:
        return Found("wanted")
    if row.state == RemoteImage.State.HERE:
        return Found("here", row.file, row.media_type, row.size)
    return Found("failed" if row.changed_at > timezone.now() - TRY_AGAIN else "wanted")
