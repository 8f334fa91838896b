"""The image proxy's worker: fetches one picture of one message, has it written anew, and keeps it for a while.

Invariants: a picture is asked for once, however many wait for it (a claim is committed before the connection); what
comes from outside is decoded in a limited process only, and what is kept was written there; no transaction is open
while a server is spoken to; every end is written and told. Nothing is shared between people, or between messages.
"""

import logging
import os
from datetime import timedelta
from functools import cache as once

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError
from django.db.models import Exists, OuterRef, Sum
from django.utils import timezone

from webmail import storage
from webmail.imaging.pool import Picture, Pool
from webmail.models import Message, MessageBody, RemoteImage
from webmail.protocols import egress
from webmail.protocols.errors import MailServerError, Unreachable
from webmail.queries.remote_images import told
from webmail.render import pictures
from webmail.render.trackers import is_tracker

log = logging.getLogger(__name__)
ACCEPT = "image/webp,image/png,image/jpeg,image/gif"
LARGEST = 10 * 2**20  # octets of a picture as it comes
KEPT_FOR = timedelta(days=30)
MOST_KEPT = 300 * 2**20  # octets for one account; the oldest make way
CLAIM_LASTS = timedelta(seconds=40)
TOLD_SECONDS = 60
UNREACHABLE_SECONDS = 60  # a server that could not be connected to is left alone for so long
BATCH = 500
State = RemoteImage.State


def fetch_image(message_id: int, key: str) -> None:
    """Brings the picture, or writes that it cannot be had."""
    url = _url(message_id, key)
    row = _claimed(message_id, key) if url else None
    if row is None:
        return
    picture = _brought(url)
    if picture is not None:
        try:
            storage.write_file(row.file, picture.data)
        except OSError as error:
            log.error("a remote image could not be kept: %s", type(error).__name__)
            picture = None
    RemoteImage.objects.filter(pk=row.pk).update(
        state=State.HERE if picture else State.FAILED,
        media_type=picture.media_type if picture else "",
        size=len(picture.data) if picture else 0,
        changed_at=timezone.now(),
    )
    _tell(message_id, key)
    _make_room(row.account_id)


def _url(message_id: int, key: str) -> str:
    urls = MessageBody.objects.filter(message=message_id).values_list("image_urls", flat=True).first()
    url = pictures.url_of(key, urls or ())
    return "" if is_tracker(url) else url


def _claimed(message_id: int, key: str) -> RemoteImage | None:
    """The row, ours to fill; None when it is filled or somebody else is at it."""
    now = timezone.now()
    account_id = Message.objects.filter(pk=message_id).values_list("account_id", flat=True).first()
    if account_id is None:
        return None
    try:
        row, made = RemoteImage.objects.get_or_create(
            message_id=message_id, key=key, defaults={"account_id": account_id, "changed_at": now}
        )
    except IntegrityError:
        return None
    if made:
        return row
    mine = RemoteImage.objects.filter(pk=row.pk, changed_at=row.changed_at).exclude(state=State.HERE)
    if row.state == State.FETCHING and row.changed_at > now - CLAIM_LASTS:
        return None
    return row if mine.update(state=State.FETCHING, changed_at=now) else None


def _brought(url: str) -> Picture | None:
    """The picture as it may be shown; whatever goes wrong is one thing to whoever looks.

    A host that is not allowed is refused before anything is opened, so that neither the answer nor its time depends on
    what is there.
    """
    try:
        host = egress.parse(url).host
        if cache.get(f"image-host:{host}"):
            return None
        try:
            data = egress.get(url, accept=ACCEPT, largest=LARGEST, detours=settings.MAILROOM["IMAGE_DETOURS"])
        except Unreachable:
            cache.set(f"image-host:{host}", 1, UNREACHABLE_SECONDS)
            return None
    except MailServerError as error:
        log.debug("remote image: %s", type(error).__name__)
        return None
    return _pool().reencode(data)


@once
def _pool() -> Pool:
    return Pool(max(2, (os.cpu_count() or 2) // 2))


def _tell(message_id: int, key: str) -> None:
    try:
        cache.set(told(message_id, key), 1, TOLD_SECONDS)
    except Exception as error:  # whoever waits looks at the row in the end
        log.warning("nobody heard of a remote image: %s", type(error).__name__)


def _make_room(account_id: int) -> None:
    """Throws the account's oldest pictures away while there are too many of them."""
    rows = RemoteImage.objects.filter(account_id=account_id)
    over = (rows.aggregate(all=Sum("size"))["all"] or 0) - MOST_KEPT
    for row in rows.filter(state=State.HERE).order_by("changed_at").iterator() if over > 0 else ():
        if over <= 0:
            return
        over -= row.size
        _throw_away(row)


def purge() -> int:
    """Throws away what is a month old and what belongs to messages that are gone; returns how many."""
    old = RemoteImage.objects.filter(changed_at__lt=timezone.now() - KEPT_FOR)
    orphans = RemoteImage.objects.filter(~Exists(Message.objects.filter(pk=OuterRef("message_id"))))
    gone = 0
    for rows in (old, orphans):
        for row in list(rows.order_by("changed_at")[:BATCH]):
            _throw_away(row)
            gone += 1
    return gone


def _throw_away(row: RemoteImage) -> None:
    try:
        storage.remove_file(row.file)
    except OSError as error:
        log.warning("a remote image stays in storage: %s", type(error).__name__)
        return
    row.delete()
