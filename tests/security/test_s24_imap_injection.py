"""S24: no text of a person or a stranger becomes a second IMAP command: by the gateway's methods, all of them, and by
the jobs that call them."""

import inspect
import typing
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse

from accounts.models import MailAccount
from accounts.services import credentials
from tests.servers.sync_rig import imap_account, sync
from tests.support.dovecot import Dovecot
from tests.unit.protocols.test_imap_session import CALLS
from webmail import connections
from webmail.models import Mailbox, Message, MessageBody, Placement
from webmail.protocols.errors import AuthenticationFailed
from webmail.protocols.imap import Session
from webmail.services import actions, targets
from webmail.sync import bodies
from webmail.sync.account import sync_account

from .ground import World

DELETE = '"\r\nX1 DELETE "Archive"\r\nX2 DELETE Archive\r\n'
MESSAGE = b"From: a@x.example\r\nTo: b@x.example\r\nSubject: x\r\nMessage-ID: <x@x.example>\r\n\r\nHello\r\n"
# who takes text, but not of people: octets of a message, told by their length; the socket itself
COUNTED = {"append"}


class Asked:
    """Notes which method was called."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.names.add(name)
        return lambda *args, **words: []


def takes_text(method: Any) -> bool:
    hints = typing.get_type_hints(method)
    hints.pop("return", None)
    return any(word in str(hint) for hint in hints.values() for word in ("str", "bytes"))


def test_s24_every_method_that_takes_text_is_tried() -> None:
    """tests/unit/protocols/test_imap_session tries them; a new method must be added there."""
    asked = Asked()
    for call in CALLS.values():
        call(asked, "x")  # type: ignore[arg-type]  # stands in for a session
    public = inspect.getmembers(Session, inspect.isfunction)
    wanted = {name for name, method in public if not name.startswith("_") and takes_text(method)}
    assert len(wanted) > 10
    assert wanted <= asked.names | COUNTED


@pytest.mark.parametrize("part", ["username", "password"])
@pytest.mark.django_db
def test_s24_who_signs_in_is_one_line(part: str, alice: World) -> None:
    account = alice.account
    credentials.store(account, password="p" + (DELETE if part == "password" else ""))
    if part == "username":
        MailAccount.objects.filter(pk=account.pk).update(username="alice" + DELETE)
        account.refresh_from_db()
    with pytest.raises(AuthenticationFailed):
        connections.incoming_credential(account)


@pytest.mark.django_db
def test_s24_an_address_names_only_parts_that_exist(alice: World) -> None:
    for path in ("2\r\nX1 DELETE INBOX", "TEXT]", "1.MIME", "HEADER.FIELDS (X)", "9" * 500, "2%0d%0aX", "..", "\0"):
        url = reverse("mail:attachment", args=[alice.message_id, path.replace("/", "")])
        assert alice.client.get(url).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_s24_jobs_with_hostile_rows_harm_nothing(dovecot: Dovecot) -> None:
    """Whatever stands in the rows that strangers fill, Archive is still there after every job that reads them."""
    account = imap_account(dovecot)
    with connections.open_imap(account) as session:
        session.append(b"INBOX", MESSAGE)
        session.append(b"Archive", MESSAGE.replace(b"x@x.example>", b"y@x.example>"))
    sync(account)
    placement = Placement.objects.get(mailbox__role="inbox")
    Message.objects.filter(pk=placement.message_id).update(message_id=DELETE, references=[DELETE], in_reply_to=DELETE)
    part = {"path": "1" + DELETE, "type": "text/plain", "encoding": DELETE, "charset": DELETE, "size": 1, "digest": ""}
    MessageBody.objects.update_or_create(
        message_id=placement.message_id,
        defaults={"account": account, "parts": [part | {"filename": DELETE, "role": "attachment", "cid": DELETE}]},
    )
    try:
        bodies.fetch_part(placement.message_id, "1" + DELETE)
    except ValueError:
        pass  # refused before it left
    with transaction.atomic():
        spots = targets.lock(targets.of_messages(account.user, [placement.message_id], None))
        actions.move(account.user, "move", spots, Mailbox.objects.get(account=account, role="trash"))
    Mailbox.objects.filter(account=account, role="drafts").update(wire_name=b"Drafts" + DELETE.encode())
    for _ in range(3):
        sync_account(account.pk)
    with connections.open_imap(account) as session:
        assert b"Archive" in {box.wire_name for box in session.list_mailboxes()}
        assert session.status(b"Archive").messages == 1
