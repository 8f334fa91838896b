"""What the sync tests share: accounts on a real server, a second client, and the comparison of both sides.

A server is one of the run's, or the endpoint of any other that takes the same password.
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from accounts.models import MailAccount, MailServer, Organisation, User
from accounts.services import credentials
from tests.servers.waiting import waiting, waiting_messages
from tests.support.loopback import PASSWORD, LoopbackServer
from webmail.models import Flag, Mailbox, MailboxThread, Message, Placement, RemoteOp, Thread
from webmail.models.summaries import refresh_counts, refresh_lines, refresh_threads
from webmail.protocols import imap_login
from webmail.protocols.imap_wire.wire import Wire
from webmail.protocols.net import Endpoint
from webmail.services import targets
from webmail.services.ops import Spot
from webmail.sync.account import Result, sync_account

_LISTED = re.compile(rb'\) (?:"[^"]*"|NIL) (?:"((?:[^"\\]|\\.)*)"|(\S+))$')
_UID, _FLAGS = re.compile(rb"[( ]UID (\d+)"), re.compile(rb"[( ]FLAGS \(([^)]*)\)")
State = dict[str, dict[int, frozenset[str]]]
Server = LoopbackServer | Endpoint


def account_on(endpoint: Endpoint, address: str, *, protocol: str = "imap", password: str = PASSWORD) -> MailAccount:
    """A person of an organisation of their own with one account on the server, due for its first sync."""
    organisation = Organisation.objects.get_or_create(name="Test")[0]
    user = User.objects.create_user(address, organisation=organisation)
    server = MailServer.objects.get_or_create(
        protocol=protocol,
        host=endpoint.host,
        port=endpoint.port,
        defaults={"trusted": True, "ca_certificates": endpoint.ca_pem, "security": endpoint.security},
    )[0]
    account = MailAccount.objects.create(
        organisation=organisation, user=user, protocol=protocol, address=address, username=address, incoming=server
    )
    credentials.store(account, password=password)
    return account


def imap_account(server: LoopbackServer, *, password: str = PASSWORD) -> MailAccount:
    return account_on(server.imap_endpoint(), server.add_user(), password=password)


def pop_account(server: LoopbackServer, **columns: object) -> MailAccount:
    account = account_on(server.pop3_endpoint(), server.add_user(), protocol="pop3")
    MailAccount.objects.filter(pk=account.pk).update(**columns)
    account.refresh_from_db()
    return account


def sync(account: MailAccount) -> Result:
    """Passes until nothing is left, older mail included; the account must be in good order afterwards."""
    result = sync_account(account.pk)
    for _ in range(20):
        if not (result.again or result.older):
            break
        result = sync_account(account.pk, older=result.older and not result.again)
    account.refresh_from_db()
    told = (account.state, account.error_code, account.server_line)
    assert told == ("working", "", ""), (told, account.connection_cap, account.incoming.host_cap, _connections(account))
    return result


def _connections(account: MailAccount) -> dict[str, int]:
    """How many places are held, by what they are counted for."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    return {str(key): int(client.zcard(key)) for key in client.keys("connections:*") if client.type(key) == b"zset"}


def message(
    number: int, *, subject: str = "", parent: int | None = None, body: str = "Hello", extra: str = ""
) -> bytes:
    """A small message with an identity of its own; a reply when ``parent`` is given."""
    reply = f"In-Reply-To: <m{parent}@x.test>\r\nReferences: <m{parent}@x.test>\r\n" if parent is not None else ""
    return (
        f"From: Person {number % 7} <p{number % 7}@x.test>\r\nTo: me@mail.test\r\n"
        f"Subject: {subject or f'Topic {number}'}\r\n"
        f"Date: Mon, 1 Jan 2024 10:{number // 60 % 60:02}:{number % 60:02} +0000\r\n"
        f"Message-ID: <m{number}@x.test>\r\n{reply}{extra}"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{body} {number}\r\n"
    ).encode()


def conversations(first: int, behind: int) -> list[bytes]:
    """Messages with these numbers, four to a conversation."""
    return [message(n, parent=n - 1 if n % 4 else None) for n in range(first, behind)]


def fill(client: imaplib.IMAP4, name: str, messages: list[bytes]) -> None:
    """Puts messages into a mailbox as another mail program does."""
    for one in messages:
        assert client.append(name, None, None, one)[0] == "OK"


def forbid(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """The server does not offer these, as far as our sessions can tell."""
    introduce = imap_login._introduce

    def poorer(wire: Wire) -> None:
        wire.capabilities = wire.capabilities - set(names)
        introduce(wire)
        wire.capabilities = wire.capabilities - set(names)

    monkeypatch.setattr(imap_login, "_introduce", poorer)


@transaction.atomic
def lock(placements: QuerySet[Placement]) -> list[Spot]:
    """Where these placements lie now, as a service would ask."""
    return targets.lock(placements)


def quoted(name: str) -> str:
    """A mailbox's wire name as imaplib wants it."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


@contextmanager
def other_client(server: Server, address: str, mailbox: str = "INBOX") -> Iterator[imaplib.IMAP4_SSL]:
    """Another mail program of the same person, with a mailbox open."""
    at = server if isinstance(server, Endpoint) else server.imap_endpoint()
    context = ssl.create_default_context(cadata=at.ca_pem)
    with imaplib.IMAP4_SSL(at.host, at.port, ssl_context=context) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # imaplib sends a literal and its end apart
        client.login(address, PASSWORD)
        assert client.select(quoted(mailbox))[0] == "OK"
        yield client


class ListedOnly(AssertionError):
    """A server names a mailbox that can be opened and then does not open it."""


def on_server(server: Server, address: str) -> State:
    """Mailbox (its wire name) to UID to flags, as the server says."""
    state: State = {}
    with other_client(server, address) as client:
        for line in client.list()[1]:
            if not line:
                continue
            name, attributes = _listed(line)
            if "\\noselect" in attributes.lower():
                continue
            answer = client.select(quoted(name), readonly=True)
            if answer[0] != "OK":
                raise ListedOnly(f"{name} is listed as {attributes!r}, and opening it brings {answer}")
            rows = [row for row in client.uid("FETCH", "1:*", "(UID FLAGS)")[1] if isinstance(row, bytes)]
            state[name] = {}
            for row in rows:
                uid, flags = _UID.search(row), _FLAGS.search(row)
                if uid and flags:
                    words = flags[1].decode().split()
                    state[name][int(uid[1])] = frozenset(flag for flag in words if flag != "\\Recent")
    return state


def _listed(line: bytes | tuple[bytes, bytes]) -> tuple[str, str]:
    """(wire name, attributes) of a LIST response, its name quoted, bare or a literal."""
    if isinstance(line, tuple):
        return line[1].decode("utf-8", "surrogateescape"), line[0].decode()
    found = _LISTED.search(line)
    assert found is not None
    name = re.sub(rb"\\(.)", rb"\1", found[1]) if found[1] is not None else found[2]
    return name.decode("utf-8", "surrogateescape"), line[: found.start()].decode()


def here(account: MailAccount) -> State:
    """The same from the rows."""
    state: State = {}
    under_way = waiting_messages(account)
    for box in Mailbox.objects.filter(account=account).exclude(phase__in=["gone", "unselectable"]):
        name = bytes(box.wire_name).decode("utf-8", "surrogateescape")
        state[name] = {}
        rows = Placement.objects.filter(mailbox=box, state=Placement.State.LIVE)
        for row in rows:
            if box.unstable and (row.uid is None or row.gen != box.gen):
                continue  # as it was last read; the server's numbers do not last for it to be found again
            if row.uid is None and row.pk in under_way:
                continue
            where = f"{name}, {box.phase}, down to {box.backfill_low}: placement {row.pk}, message {row.message_id}"
            assert row.gen == box.gen, f"{where} is of numbering {row.gen}, not {box.gen}"
            assert row.uid is not None, f"{where} has no UID; {_told(row)}"
            assert row.uid not in state[name], f"{where} has a UID twice, {row.uid}"
            flags = {flag.wire for flag in Flag if flag & row.flags}
            state[name][row.uid] = frozenset({*flags, *row.keywords})
    return state


def _told(row: Placement) -> list[tuple[object, ...]]:
    """The operations that were about it, in their order."""
    about = RemoteOp.objects.filter(account=row.account_id, placements__contains=[row.pk]).order_by("pk")
    return list(about.values_list("pk", "kind", "state", "mailbox", "destination", "gen", "args", "error"))


def check(server: Server, account: MailAccount) -> None:
    """The invariants: both sides equal, nothing doubled, nothing owed, every summary as if computed anew."""
    a, b = here(account), _followed(account, on_server(server, account.address))
    assert a == b, {
        k: (set((a.get(k) or {}).items()) ^ set((b.get(k) or {}).items())) for k in {*a, *b} if a.get(k) != b.get(k)
    }
    still_open = RemoteOp.objects.filter(account=account, state__in=["queued", "inflight"])
    columns = ("pk", "kind", "state", "attempts", "not_before", "mailbox", "gen", "placements", "uids", "error")
    assert list(still_open.exclude(pk__in=waiting(account)).values(*columns)) == []
    masked = Placement.objects.filter(account=account, state=0).exclude(pending_mask=0, pending_keywords=[])
    assert set(masked.values_list("pk", flat=True)) <= waiting_messages(account)
    messages = Message.objects.filter(account=account)
    assert messages.count() == messages.values("fingerprint").distinct().count()
    check_summaries(account)


def _followed(account: MailAccount, state: State) -> State:
    """The server's state without what is too old to be followed where its numbers do not last."""
    for box in Mailbox.objects.filter(account=account):
        name = bytes(box.wire_name).decode("utf-8", "surrogateescape")
        if box.unstable and name in state:
            low = box.backfill_low or 1
            state[name] = {uid: flags for uid, flags in state[name].items() if uid >= low}
    return state


def check_summaries(account: MailAccount) -> None:
    """Lines, threads and counters equal what their definition gives."""
    before = summaries(account)
    boxes = list(Mailbox.objects.filter(account=account).values_list("pk", flat=True))
    threads = list(Thread.objects.filter(account=account, merged_into=None).values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE webmail_thread SET message_count = 999 WHERE account_id = %s", [account.pk])
        cursor.execute("UPDATE webmail_mailboxthread SET message_count = 999 WHERE account_id = %s", [account.pk])
    refresh_lines(boxes, threads)
    refresh_threads(threads)
    refresh_counts(boxes)
    for now, was in zip(summaries(account), before, strict=True):
        lacking, extra = ([row for row in one if row not in other] for one, other in ((now, was), (was, now)))
        assert now == was, f"computed anew, and not stored: {lacking[:3]}; stored: {extra[:3]}"


def summaries(account: MailAccount) -> tuple[list[object], ...]:
    lines = MailboxThread.objects.filter(account=account).order_by("mailbox", "thread")
    threads = Thread.objects.filter(account=account, merged_into=None).order_by("pk")
    boxes = Mailbox.objects.filter(account=account).order_by("pk")
    return (
        list(
            lines.values_list(
                "mailbox",
                "thread",
                "newest_at",
                "newest_message",
                "message_count",
                "unread_count",
                "flags_any",
                "keywords",
            )
        ),
        list(threads.values_list("pk", "subject", "newest_at", "message_count", "participants")),
        list(boxes.values_list("pk", "total", "unread")),
    )
