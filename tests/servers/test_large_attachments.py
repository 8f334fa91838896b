"""Attachments of 100 MB: the worker that brings one does not hold it."""

from __future__ import annotations

import base64
import hashlib

import pytest

from accounts.models import MailAccount
from tests.app.conftest import somebody
from tests.app.test_files import with_parts
from tests.servers.large_files import MIB, film
from tests.servers.sync_rig import imap_account, sync
from tests.support.dovecot import Dovecot
from tests.support.workers import Workers
from webmail import storage
from webmail.models import Message, MessageBody
from webmail.sync import bodies, warm

pytestmark = pytest.mark.django_db(transaction=True)
JOBS = "tests.servers.large_files:"
HEAD = (
    b"From: Ana <ana@x.test>\r\nSubject: Film\r\nMessage-ID: <film@x.test>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHere it is.\r\n"
    b"--b\r\nContent-Type: video/mp4; name=film.mp4\r\nContent-Disposition: attachment\r\n"
)


def letter(encoding: bytes) -> bytes:
    line = base64.b64encode(film()[:57]) if encoding == b"base64" else b"M" + b"0" * 60
    lines = (line + b"\r\n") * (len(film()) // 57)
    if encoding == b"x-uuencode":
        lines = b"begin 644 film.mp4\r\n" + lines + b"`\r\nend\r\n"
    return HEAD + b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + lines + b"--b--\r\n"


def entry(account: MailAccount, message_id: int) -> dict[str, object]:
    parts: list[dict[str, object]] = MessageBody.objects.get(account=account, message=message_id).parts
    return next(row for row in parts if row["path"] == "2")


@pytest.mark.parametrize("encoding", [b"base64", b"x-uuencode"])
def test_a_worker_streams_it_from_the_server(dovecot: Dovecot, workers: Workers, encoding: bytes) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [letter(encoding)])
    sync(account)
    message = Message.objects.get(account=account)
    bodies.fetch_body(message.pk)
    warm.sweep(older_than=-1)
    assert workers.run(JOBS + "stream_part", message.pk, "2") == 0
    digest = str(entry(account, message.pk)["digest"])
    if encoding == b"base64":
        assert digest == hashlib.sha256(film()).hexdigest()
    with storage.open_file(account.pk, digest) as file:
        assert file.size > 70 * MIB


def test_a_worker_takes_it_out_of_a_message_in_storage(workers: Workers) -> None:
    who = somebody("Alice")
    raw = letter(b"base64")
    placement = with_parts(who)
    body = MessageBody.objects.get(message=placement.message_id)
    body.raw_digest, body.parts = storage.put(who.account.pk, raw), []
    body.save()
    assert workers.run(JOBS + "part_of_stored", placement.message_id, "2") == 0
    assert entry(who.account, placement.message_id)["digest"] == hashlib.sha256(film()).hexdigest()
