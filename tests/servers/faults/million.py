"""A mailbox of a million messages that exists in a script only, and the jobs that read it in a process of their own."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator

from tests.support.scripted_imap import OK, Heard, ScriptedImap

EXISTS = 1_000_000
UIDNEXT = EXISTS // 9 * 10 + 2  # every tenth UID is missing, so that a set of them is no single range
MOST_MIB = 300
_SPAN = re.compile(rb"(\d+)(?::(\d+))?")


def uid_of(number: int) -> int:
    """The UID of a sequence number."""
    return number + (number - 1) // 9


def open_million(script: ScriptedImap) -> None:
    """INBOX holds a million messages."""
    script.answer(
        rb"\A(SELECT|EXAMINE) ",
        b"* %d EXISTS\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT %d] ok\r\n%%T OK selected\r\n"
        % (EXISTS, UIDNEXT),
    )
    script.answer(rb"\AUID SEARCH UID (\d+):(\d+)", _search)
    script.answer(rb"\AUID SEARCH RETURN \(ALL COUNT\) UID (\d+):(\d+)", _esearch)
    script.answer(rb"\AFETCH (\d+):(\d+) ", _fetch_by_number)
    script.answer(rb"\AUID FETCH ([\d:,]+) \(UID FLAGS INTERNALDATE", _fetch)


def _search(heard: Heard) -> Iterator[bytes]:
    low, high = int(heard.match[1]), int(heard.match[2])
    yield b"* SEARCH "
    for start in range(low, high + 1, 10_000):
        yield b"".join(b"%d " % uid for uid in range(start, min(start + 10_000, high + 1)) if uid % 10)
    yield b"%d\r\n" % max(uid for uid in (high, high - 1) if uid % 10) + OK


def _esearch(heard: Heard) -> Iterator[bytes]:
    low, high = int(heard.match[1]), int(heard.match[2])
    count = sum(1 for uid in range(low, high + 1) if uid % 10)
    tens = range(low - low % 10, high + 1, 10)
    spans = ((max(ten + 1, low), min(ten + 9, high)) for ten in tens)
    yield b'* ESEARCH (TAG "%b") UID ALL ' % heard.tag
    yield b",".join(b"%d:%d" % span for span in spans if span[0] <= span[1])
    yield b" COUNT %d\r\n" % count + OK


def _fetch_by_number(heard: Heard) -> Iterator[bytes]:
    yield from _rows(uid_of(number) for number in range(int(heard.match[1]), int(heard.match[2]) + 1))


def _fetch(heard: Heard) -> Iterator[bytes]:
    for low, high in _SPAN.findall(heard.match[1]):
        yield from _rows((uid for uid in range(int(low), int(high or low) + 1) if uid % 10), end=b"")
    yield OK


def _rows(uids: Iterator[int], *, end: bytes = OK) -> Iterator[bytes]:
    for uid in uids:
        head = b"Subject: Topic %d\r\nFrom: p@x.test\r\nMessage-ID: <m%d@x.test>\r\n\r\n" % (uid, uid)
        yield (
            b'* %d FETCH (UID %d FLAGS (\\Seen) INTERNALDATE "01-Jan-2024 10:00:00 +0000" RFC822.SIZE 300 '
            b'BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 9 1) BODY[HEADER.FIELDS (SUBJECT)] {%d}\r\n%b)\r\n'
        ) % (uid - uid // 10, uid, len(head), head)
    yield end


# --- jobs ------------------------------------------------------------------------------------------------------------


def count(port: int, ca_pem: str) -> None:
    """Names every UID of the mailbox."""
    from webmail.protocols import imap
    from webmail.protocols.net import Credential, Endpoint, Secret

    endpoint = Endpoint("localhost", port, "tls", allow_private=True, ca_pem=ca_pem)
    with imap.connect(endpoint, Credential("anna", Secret("x"))) as session:
        seen = session.select(b"INBOX", read_only=True)
        found = session.search_uids(1, seen.uidnext - 1)
        assert (seen.exists, len(found), found.highest) == (EXISTS, EXISTS, UIDNEXT - 1)
    _stayed_small()


def first_passes(account_id: int) -> None:
    """The first page, then older mail for two seconds."""
    from django.conf import settings

    from webmail.sync.account import sync_account

    settings.MAILROOM["SYNC_SLICE_SECONDS"] = 2
    for older in (False, True):
        assert sync_account(account_id, older=older).older
    _stayed_small()


def _stayed_small() -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    assert peak < MOST_MIB, f"{peak} MiB"
