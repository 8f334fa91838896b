"""The draft's copy on the server: one at a time, following the local row, which is the draft (RFC 9051 section 6.3.12).

Invariants: the new copy is appended and its UID committed before the old one is deleted; an old copy whose deletion was
lost stays listed in ``superseded_uids`` until it is gone (``draft_removal``); nothing but what we appended is ever
deleted. Before APPEND a mark with the mailbox's UIDNEXT is committed: it keeps a second worker away, and a copy whose
answer was lost is found by it and the draft's Message-ID.
"""

import io
import logging
import os
from datetime import timedelta
from typing import BinaryIO, cast

from django.db import transaction
from django.utils import timezone

from accounts.crypto import SealBroken
from accounts.models import MailAccount
from accounts.services import sync_state
from webmail import connections, storage
from webmail.delivery import draft_removal
from webmail.failures import note_refusal
from webmail.jobs import Job, enqueue
from webmail.mime.addresses import Address, parse_addresses
from webmail.mime.build import Attachment, Composition, new_message_id, write_message
from webmail.models import Draft, Mailbox, Upload
from webmail.protocols import imap
from webmail.protocols.errors import MailServerError
from webmail.protocols.values import AppendResult
from webmail.render.compose import clean_outgoing

log = logging.getLogger(__name__)
IDLE = timedelta(seconds=10)  # a copy is written once typing has stopped for this long
CLAIM_LASTS = timedelta(minutes=5)
LEAST_PAUSE, MOST_PAUSE = timedelta(seconds=30), timedelta(hours=1)  # after a try that came to nothing
_USABLE = [MailAccount.State.WORKING, MailAccount.State.NEW]
Mark = list[float]  # [mailbox, gen, UIDNEXT, begun]: an APPEND that began then, at or above that UID


def follow(draft_id: int) -> None:
    """Brings the server's copy in line with the draft; never raises for what a server does."""
    draft = (
        Draft.objects.select_related("account__incoming", "account__credential", "identity", "original")
        .filter(pk=draft_id, user__is_active=True, account__organisation__suspended_at=None)
        .first()
    )
    if draft is None or _busy(draft):
        return
    done = True
    if (box := _target(draft)) is not None:
        done = _visit(draft, draft.account, box)
        draft.refresh_from_db(fields=["superseded_uids", "remote_uid", "remote_box", "remote_revision"])
    if done and not _busy(draft):
        visits = [_visit(draft, account) for account in _elsewhere(draft)]
        done = all(visits)
    if not done:
        _put_off(draft)


def _target(draft: Draft) -> Mailbox | None:
    """Where a copy is to be written now; None when there is nothing to write, or no place for it."""
    idle = draft.updated_at <= timezone.now() - IDLE
    account = draft.account
    if draft.closed_at is not None or draft.remote_revision >= draft.revision or not idle:
        return None
    if account.protocol != MailAccount.Protocol.IMAP or account.state not in _USABLE:
        return None
    return Mailbox.objects.filter(account=account, role=Mailbox.Role.DRAFTS).exclude(phase=Mailbox.Phase.GONE).first()


def _elsewhere(draft: Draft) -> list[MailAccount]:
    """The accounts on whose servers older copies are left."""
    draft_removal.forget_lost_folders(draft.pk)
    boxes = draft_removal.boxes(draft)
    usable = MailAccount.objects.filter(protocol=MailAccount.Protocol.IMAP, state__in=_USABLE)
    owners = usable.filter(pk__in={box.account_id for box in boxes})
    return list(owners.select_related("incoming", "credential").order_by("pk"))


def _visit(draft: Draft, account: MailAccount, box: Mailbox | None = None) -> bool:
    """Writes the copy into ``box``, if one is due, and removes older ones; False when that has to be done later."""
    try:
        with connections.open_imap(account) as session:
            done = box is None or _write(session, draft, box)
            if done:
                draft_removal.remove_older(session, draft.pk, account)
    except (MailServerError, SealBroken, OSError, ValueError) as error:  # ValueError: an address not yet writable
        log.info("draft %s: copy on the server waits: %s", draft.pk, type(error).__name__)
        note_refusal(account, error)
        return False
    sync_state.wake(account.pk)
    enqueue(Job.SYNC_ACCOUNT, account.pk)
    return done


def _busy(draft: Draft) -> bool:
    """Whether another worker may be at it; the dispatcher comes back."""
    since = (timezone.now() - CLAIM_LASTS).timestamp()
    return any(begun and begun[0] > since for _box, _gen, _uid, *begun in draft.superseded_uids)


def _put_off(draft: Draft) -> None:
    """Not at once again: the longer it does not work, the longer the pauses. What is saved anew is tried at once."""
    now = timezone.now()
    pause = min(max((now - draft.updated_at) / 4, LEAST_PAUSE), MOST_PAUSE)
    Draft.objects.filter(pk=draft.pk, revision=draft.revision).update(copy_after=now + pause)


def _write(session: imap.Session, draft: Draft, box: Mailbox) -> bool:
    """APPEND of the draft as it is now; False when the folder is numbered anew: the next sync notices, and until then
    no UID means what we think.
    """
    name = bytes(box.wire_name)
    status = session.status(name)
    if box.uidvalidity not in (None, status.uidvalidity):
        return False
    message_id, data = _build(draft)
    mark = [box.pk, box.gen, status.uidnext or 1, timezone.now().timestamp()]
    if not _begin(draft, message_id, mark):
        return True  # another worker was faster
    placed = session.append(name, data, flags=["\\Draft", "\\Seen"])
    _note(draft, mark, _uid(session, box, placed, message_id, since=int(mark[2])))
    return True


def _uid(session: imap.Session, box: Mailbox, placed: AppendResult, message_id: str, *, since: int) -> int | None:
    """The UID of the copy that was just made; looked for where the server does not say where it put it."""
    if placed.uid is not None:
        return placed.uid if box.uidvalidity in (None, placed.uidvalidity) else None
    session.select(bytes(box.wire_name), read_only=True)
    found = session.search_message_id(f"<{message_id}>", since_uid=since)
    session.unselect()
    return found.highest if found else None


@transaction.atomic
def _begin(draft: Draft, message_id: str, mark: Mark) -> bool:
    """Commits that a copy with this Message-ID may be made from now on; False when another worker was faster."""
    row = Draft.objects.select_for_update().get(pk=draft.pk)
    if row.closed_at is not None or row.remote_revision >= draft.revision or _busy(row):
        return False
    Draft.objects.filter(pk=draft.pk).update(message_id=message_id, superseded_uids=[*row.superseded_uids, mark])
    return True


@transaction.atomic
def _note(draft: Draft, mark: Mark, uid: int | None) -> None:
    """The copy is there: the one before it is to go, and whatever the mark stood for is known."""
    row = Draft.objects.select_for_update().get(pk=draft.pk)
    box, gen = int(mark[0]), int(mark[1])
    left = [entry for entry in row.superseded_uids if uid is None or entry != mark]
    old = [[row.remote_box, row.remote_gen, row.remote_uid]] if row.remote_uid and row.remote_box else []
    Draft.objects.filter(pk=draft.pk).update(
        remote_uid=uid, remote_gen=gen, remote_box=box, remote_revision=draft.revision, superseded_uids=[*left, *old]
    )


def _build(draft: Draft) -> tuple[str, bytes]:
    """The draft as a message, with what is written so far; what is no address yet is left out."""
    identity = draft.identity
    sender = Address(name=identity.name if identity else "", addr_spec=_address(draft))
    message_id = draft.message_id or new_message_id(sender.addr_spec.rpartition("@")[2], os.urandom(16))
    html = None if draft.plain else clean_outgoing(draft.html)
    files = [upload for upload in draft.uploads.exclude(digest="") if not upload.is_left_out(html)]
    out = io.BytesIO()
    write_message(
        Composition(
            from_=(sender,),
            to=_people(draft.to),
            cc=_people(draft.cc),
            bcc=_people(draft.bcc),
            subject=" ".join(draft.subject.split()),
            message_id=message_id,
            date=timezone.localtime(),
            boundary_seed=os.urandom(16),
            text=draft.text if draft.plain else None,
            html=html,
            attachments=tuple(_attachment(upload) for upload in files),
            extra={draft_removal.REVISION_FIELD: str(draft.revision)},
        ),
        out,
        keep_bcc=True,
    )
    return message_id, out.getvalue()


def _address(draft: Draft) -> str:
    """Where the draft comes from; the account's while it is not said which address of a whole domain."""
    identity = draft.identity
    own = identity.address if identity and not identity.stands_for_domain else draft.account.address
    return draft.sender or own


def _people(typed: str) -> tuple[Address, ...]:
    found = parse_addresses(" ".join(typed.split()))
    return tuple(person for person in found if "@" in person.addr_spec.strip("@") and not person.warnings)


def _attachment(upload: Upload) -> Attachment:
    return Attachment(
        filename=upload.filename,
        content_type=upload.content_type,
        data=lambda: cast(BinaryIO, storage.open_file(upload.account_id, upload.digest)),
        size=upload.size,
        content_id=upload.content_id or None,
    )
