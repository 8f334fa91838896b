"""The disk is full while mail is being stored: nothing is deleted for it, and half is never shown as whole."""

from __future__ import annotations

import io
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.servers.faults.test_pop3 import check, left_on_server
from tests.servers.sync_rig import check as check_imap
from tests.servers.sync_rig import imap_account, message, pop_account, sync
from tests.support.dovecot import Dovecot
from webmail import storage
from webmail.models import Message, MessageBody
from webmail.sync import bodies, warm
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file of this process can grow beyond so many bytes, as on a disk with little room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("full", ["spool", "storage"])
def test_f46_a_full_disk_deletes_nothing_and_shows_no_half(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    account = pop_account(dovecot, pop_policy="delete")
    dovecot.load_maildir(account.address, [message(1, body="z" * 900_000), message(2)])
    with monkeypatch.context() as elsewhere, full_disk(300_000):
        if full == "storage":  # what is spooled lies where there is room
            elsewhere.setattr(storage, "_scratch", io.BytesIO)
        sync_account(account.pk)
    account.refresh_from_db()
    assert (account.state, account.error_code) == ("failing", "storage")
    assert left_on_server(dovecot, account) == 2
    assert not MessageBody.objects.filter(account=account, message__size__gt=100_000).exists()
    sync(account)
    check(dovecot, account, count=2, left=0)
    assert {len(storage.read(account.pk, body.raw_digest)) > 900_000 for body in MessageBody.objects.all()} == {
        True,
        False,
    }


@pytest.mark.parametrize("full", ["spool", "storage"])
def test_f46_an_attachment_is_here_whole_or_not_at_all(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    account = imap_account(dovecot)
    content = b"z" * 900_000
    multipart = (
        b"From: a@x.test\r\nMessage-ID: <big@x.test>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nsee below\r\n"
        b"--b\r\nContent-Type: application/octet-stream; name=big.bin\r\n\r\n" + content + b"\r\n--b--\r\n"
    )
    dovecot.load_maildir(account.address, [multipart])
    sync(account)
    pk = Message.objects.values_list("pk", flat=True).get(account=account)
    bodies.fetch_body(pk)

    def digest() -> str:
        parts = MessageBody.objects.get(message=pk).parts
        return next(str(part["digest"]) for part in parts if part["filename"] == "big.bin")

    with monkeypatch.context() as elsewhere, full_disk(300_000):
        if full == "storage":
            elsewhere.setattr(storage, "_scratch", io.BytesIO)
        bodies.fetch_part(pk, "2")
    assert not digest()
    bodies.fetch_part(pk, "2")
    assert storage.read(account.pk, digest()) == content
    warm.sweep(older_than=0)
    check_imap(dovecot, account)
