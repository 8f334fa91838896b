"""Rows for tests, each with what a test does not care about filled in."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Identity, MailAccount, MailServer, Organisation, User
from webmail.models import Flag, Mailbox, Message, MessageBody, Placement, Thread
from webmail.models.summaries import refresh_lines, refresh_threads

_numbers = itertools.count(1)
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def organisation(name: str = "Harbour Lane") -> Organisation:
    return Organisation.objects.get_or_create(name=name)[0]


def user(name: str, org: str = "Harbour Lane", **fields: Any) -> User:
    return User.objects.create_user(
        f"{name.lower()}@{org.lower().replace(' ', '')}.example",
        "a long enough password",
        name=name,
        organisation=organisation(org),
        **fields,
    )


def server(protocol: str = "imap", org: Organisation | None = None, **fields: Any) -> MailServer:
    defaults = {"host": "mail.example", "port": {"imap": 993, "pop3": 995, "smtp": 465}[protocol]} | fields
    found, _ = MailServer.objects.get_or_create(organisation=org, protocol=protocol, defaults=defaults)
    return found


def account(owner: User, protocol: str = "imap", **fields: Any) -> MailAccount:
    made = MailAccount.objects.create(
        user=owner,
        organisation=owner.organisation,
        protocol=protocol,
        address=owner.email,
        username=owner.email,
        incoming=server(protocol, owner.organisation),
        outgoing=server("smtp", owner.organisation),
        **({"state": "working", "last_sync_at": timezone.now()} | fields),
    )
    Identity.objects.create(
        account=made, address=owner.email, name=owner.name, is_default=True, verified_at=timezone.now()
    )
    return made


def mailbox(of: MailAccount, role: str = "inbox", name: str = "", **fields: Any) -> Mailbox:
    name = name or {"inbox": "INBOX", "": f"Folder {next(_numbers)}"}.get(role, role.title())
    defaults = {"delimiter": "/", "uidvalidity": 1, "uidnext": 1, "phase": "live"} | fields
    return Mailbox.objects.create(account=of, wire_name=name.encode(), name=name, role=role, **defaults)


def message(
    box: Mailbox,
    *,
    subject: str = "Harbour signage",
    sender: tuple[str, str] = ("Amara Okafor", "amara@pier4.example"),
    flags: int = 0,
    at: datetime | None = None,
    thread: Thread | None = None,
    text: str = "",
    html: str = "",
    parts: list[dict[str, Any]] | None = None,
    **fields: Any,
) -> Placement:
    """A message lying in the mailbox, with its summaries; ``text`` or ``html`` make its body be here."""
    number = next(_numbers)
    at = at or NOON - timedelta(minutes=number)
    thread = thread or Thread.objects.create(account=box.account)
    made = Message.objects.create(
        account=box.account,
        thread=thread,
        fingerprint=uuid.uuid4(),
        subject=subject,
        from_name=sender[0],
        from_address=sender[1],
        received_at=at,
        **(
            {
                "message_id": f"{number}@pier4.example",
                "people": {"from": [list(sender)], "to": [["", box.account.address]]},
            }
            | fields
        ),
    )
    placed = Placement.objects.create(
        account=box.account,
        mailbox=box,
        gen=box.gen,
        uid=number,
        message=made,
        thread=thread,
        received_at=at,
        flags=flags,
        server_flags=flags,
    )
    if text or html or parts:
        MessageBody.objects.create(
            message=made,
            account=box.account,
            state="here",
            text=text,
            has_html=bool(html),
            clean_html=html,
            parts=parts or [],
        )
    refresh_lines([box.pk], [thread.pk])
    refresh_threads([thread.pk])
    box.refresh_from_db()
    return placed


SEEN = int(Flag.SEEN)
