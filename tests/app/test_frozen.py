"""What Send freezes and a worker fills in: the same octets whenever it is done, no file read while somebody waits."""

from __future__ import annotations

import email
import email.policy
import io

import pytest
from django.core.files.storage import default_storage
from django.db import connection

from tests.app.conftest import Somebody
from webmail import storage
from webmail.models import Draft, Outgoing, frozen
from webmail.services import drafts, outbox

FILES = {"a.bin": bytes(range(256)) * 700, "empty.dat": b"", "b.txt": b"words\r\n"}


@pytest.fixture
def draft(alice: Somebody) -> Draft:
    fields = drafts.Fields(
        alice.account.identities.get(), to="bo@x.example", bcc="hidden@x.example", html="<p>Here they are</p>"
    )
    made = drafts.save(alice.user, fields)[0]
    for name, octets in FILES.items():
        drafts.attach(made, filename=name, content_type="application/pdf", file=io.BytesIO(octets))
    return made


def files(raw: bytes) -> dict[str, bytes]:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return {part.get_filename() or "": part.get_content() for part in message.iter_attachments()}


def test_send_leaves_the_files_out_and_a_worker_fills_them_in(draft: Draft) -> None:
    made = outbox.submit(draft)
    frame = storage.read(draft.account_id, made.digest)
    assert len(frame) < 5_000
    said = made.size
    frozen.complete(made)
    kept = Outgoing.objects.get()
    assert (kept.digest, kept.size, kept.holes) == (made.digest, said, [])
    raw = storage.read(draft.account_id, kept.digest)
    assert len(raw) == said
    assert files(raw) == FILES
    assert b"hidden@x.example" not in raw


def test_the_copy_in_sent_is_the_message_with_bcc(draft: Draft) -> None:
    made = outbox.submit(draft)
    frozen.complete_sent_copy(made)
    frozen.complete(made)
    kept = Outgoing.objects.get()
    wire, copy = (storage.read(draft.account_id, digest) for digest in (kept.digest, kept.sent_copy_digest))
    assert copy.replace(b"Bcc: hidden@x.example\r\n", b"") == wire
    assert len(copy) > len(wire)


def test_two_workers_that_fill_it_in_make_the_same(draft: Draft) -> None:
    made = outbox.submit(draft)
    again = Outgoing.objects.get()
    frozen.complete(made)
    frozen.complete(again)
    assert made.digest == again.digest == Outgoing.objects.get().digest


def test_what_came_off_the_draft_afterwards_is_sent_all_the_same(draft: Draft) -> None:
    made = outbox.submit(draft)
    draft.uploads.all().delete()
    frozen.complete(made)
    assert files(storage.read(draft.account_id, made.digest)) == FILES


def test_a_message_without_files_is_whole_at_once(draft: Draft) -> None:
    draft.uploads.all().delete()
    made = outbox.submit(draft)
    assert (made.holes, made.sent_copy_holes) == ([], [])
    assert made.size == len(storage.read(draft.account_id, made.digest))


def test_a_file_that_cannot_be_read_is_an_error_of_storage(draft: Draft) -> None:
    made = outbox.submit(draft)
    lost = draft.uploads.first()
    assert lost is not None
    default_storage.delete(storage.path(draft.account_id, lost.digest))
    with pytest.raises(OSError, match=r"\S"):
        frozen.complete(made)
    assert Outgoing.objects.get().holes
    assert connection.is_usable()
