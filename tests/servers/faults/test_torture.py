"""Mail built to break readers, through a real server: each shows something, and none costs its neighbours anything."""

from __future__ import annotations

import base64
import signal
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.test import Client
from django.urls import reverse

from tests.servers.sync_rig import check, imap_account, message, pop_account, sync
from tests.support.dovecot import Dovecot
from webmail.models import MessageBody, Placement
from webmail.sync import bodies

pytestmark = pytest.mark.django_db(transaction=True)

HANGS = 20  # seconds of CPU after which a letter counts as one that stops a worker
CHARSETS = [
    "utf8",
    "cp-850",
    "x-sjis",
    "ks_c_5601-1987",
    "gb2312",
    "iso-8859-8-i",
    "unicode-1-1-utf-7",
    "x-mac-roman",
    "x-unknown",
    "us-ascii",
    "utf-8;",
    "windows-1252",
    '"utf-16"',
    "utf-32",
    "idna",
    "punycode",
    "hex",
    "rot13",
    "base64",
    "unicode_escape",
    "undefined",
    "mbcs",
]


def nested(depth: int) -> bytes:
    """Multiparts in multiparts."""
    parts = [b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(depth)]
    return b"".join(parts) + b"Content-Type: text/plain\r\n\r\nat the bottom\r\n"


def many(count: int) -> bytes:
    """Very many parts."""
    part = b"--b\r\nContent-Type: text/plain\r\n\r\none of many\r\n"
    return b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + part * count + b"--b--\r\n"


def rtf_bomb() -> bytes:
    """What unpacks to a hundred megabytes, as Outlook would send it."""
    packed = base64.encodebytes(zlib.compress(b"\0" * 100_000_000, 9)).replace(b"\n", b"\r\n")
    head = b"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head + packed


def in_charset(name: str) -> bytes:
    return b"Content-Type: text/plain; charset=" + name.encode() + b"\r\n\r\nAbc \xe4\xf6\xfc \x82\xa0 \xff\xfe.\r\n"


LETTERS: dict[str, bytes] = {
    "2,000 levels": nested(2000),
    "10,000 parts": many(10_000),
    "a bomb": rtf_bomb(),
    "an identity in brackets": b"Message-ID: <[x]>\r\n\r\ntext\r\n",
    "an open quote": b'To: "\r\nCc: (c):\r\n\r\ntext\r\n',
    "a parameter without a value": b"Content-Type: text/plain; name*\r\n\r\ntext\r\n",
    "a boundary that never comes": b'Content-Type: multipart/mixed; boundary="x"\r\n\r\ntext\r\n',
    "no boundary": b"Content-Type: multipart/alternative\r\n\r\ntext\r\n",
    "base64 that is none": b"Content-Transfer-Encoding: base64\r\n\r\n====\r\nnot at all!\r\n",
    "NUL": b"Subject: a\0b\r\n\r\nte\0xt\r\n",
    "an encoded line end": b"Subject: =?utf-8?q?a=0D=0Ab?= =?utf-8?b?a?= =?x?y?z?=\r\n\r\ntext\r\n",
    "HTML without end": b"Content-Type: text/html\r\n\r\n" + b"<div>" * 50_000 + b"bottom\r\n",
    "a table without end": b"Content-Type: text/html\r\n\r\n" + b"<table><tr><td>" * 20_000 + b"bottom\r\n",
    "one long header": b"Subject: " + b"x" * 500_000 + b"\r\n\r\ntext\r\n",
    "very many headers": b"".join(b"X-%d: y\r\n" % n for n in range(20_000)) + b"\r\ntext\r\n",
    "very many references": b"References: " + b" <a@b>" * 5_000 + b"\r\n\r\ntext\r\n",
    **{f"charset {name}": in_charset(name) for name in CHARSETS},
}


def letter(number: int, rest: bytes) -> bytes:
    """The rest below a sender, a date and, where it brings none, an identity of its own."""
    own = b"" if b"Message-ID" in rest else b"Message-ID: <t%d@x.test>\r\n" % number
    return b"From: t%d@x.test\r\nDate: Mon, 1 Jan 2024 10:00:%02d +0000\r\n" % (number, number % 60) + own + rest


@contextmanager
def guarded_from_hanging() -> Iterator[None]:
    """The test ends with an error when what is inside burns CPU without end."""

    def hangs(*_: object) -> None:
        raise AssertionError("hangs")

    before = signal.signal(signal.SIGPROF, hangs)
    signal.setitimer(signal.ITIMER_PROF, HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_f42_hostile_letters_show_something_and_hurt_nobody(dovecot: Dovecot, protocol: str) -> None:
    account = imap_account(dovecot) if protocol == "imap" else pop_account(dovecot)
    torture = [letter(number, rest) for number, rest in enumerate(LETTERS.values())]
    dovecot.load_maildir(account.address, [*torture, message(1)])
    with guarded_from_hanging():
        sync(account)
    placed = list(Placement.objects.filter(account=account).order_by("pk").select_related("mailbox"))
    assert len(placed) == len(LETTERS) + 1
    assert {row.state for row in placed} == {Placement.State.LIVE}
    client = Client()
    client.force_login(account.user)
    for row in placed:
        with guarded_from_hanging():
            bodies.fetch_body(row.message_id)
            body = MessageBody.objects.get(message=row.message_id)
            assert (body.state, body.error) == ("here", ""), row.message.subject[:60]
            assert body.text.strip() or body.clean_html.strip() or body.parts
            page = client.get(reverse("mail:thread", args=[account.pk, row.mailbox_id, row.thread_id]))
            assert page.status_code == 200
    if protocol == "imap":
        check(dovecot, account)
