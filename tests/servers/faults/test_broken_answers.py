"""Faults 12 to 18: answers that break off, leave out, lie, or are addressed to nobody."""

from __future__ import annotations

import re

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import account_on, check, here, message, on_server, other_client, sync
from tests.support.clock import Clock
from tests.support.dovecot import Dovecot
from tests.support.faultproxy import FaultProxy, call, cut, drop, inject, replace, without
from webmail.models import Mailbox, Placement
from webmail.protocols.errors import ConnectionLost
from webmail.protocols.imap import Session
from webmail.protocols.values import HeaderRow, UidSet
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)

FEW = ("QRESYNC", "CONDSTORE", "ESEARCH")
ROW = rb"\A\* \d+ FETCH .*HEADER\.FIELDS"
SERVERS = pytest.mark.parametrize("lacking", [(), ("QRESYNC",), FEW], ids=["all", "condstore", "few"])


@pytest.fixture
def account(dovecot: Dovecot, proxy: FaultProxy) -> MailAccount:
    return account_on(proxy.endpoint, dovecot.add_user())


def poorer(proxy: FaultProxy, lacking: tuple[str, ...]) -> None:
    proxy.rule("to_client", rb"CAPABILITY", without(*lacking, "-"), nth=None)


def never_past(dovecot: Dovecot, account: MailAccount) -> None:
    """No cursor covers a UID of the server that is not stored."""
    box = Mailbox.objects.filter(account=account, role="inbox").first()
    if box is None or box.backfill_low is None:
        return
    stored = set(Placement.objects.filter(mailbox=box, gen=box.gen).values_list("uid", flat=True))
    covered = {uid for uid in on_server(dovecot, account.address)["INBOX"] if box.backfill_low <= uid}
    assert {uid for uid in covered if uid <= box.verified_high} <= stored


# --- 12 --------------------------------------------------------------------------------------------------------------


def test_f12_cut_at_every_offset_of_a_fetch_response(
    dovecot: Dovecot, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two messages' rows, cut at 500 offsets below TLS: a row comes whole or not at all, then the line is lost."""
    from tests.unit.protocols.imap_canned import Canned, session_over

    def row(uid: int) -> bytes:
        head = b"Subject: Topic %d\r\nMessage-ID: <m%d@x.test>\r\n\r\n" % (uid, uid)
        return (
            b'* %d FETCH (UID %d FLAGS () INTERNALDATE "01-Jan-2024 10:00:00 +0000" RFC822.SIZE 300 BODYSTRUCTURE '
            b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 9 1) BODY[HEADER.FIELDS (SUBJECT)] {%d}\r\n%b)\r\n'
            % (uid, uid, len(head), head)
        )

    whole = row(1) + row(2)
    step = max(1, len(whole) // 500)
    for offset in range(0, len(whole), step):
        session: Session = session_over(Canned(whole[:offset]))
        came: list[int | None] = []
        with pytest.raises(ConnectionLost):
            came.extend(found.uid for found in session.fetch_headers(UidSet.span(1, 2)))
        assert session.closed
        rows = session_over(Canned(whole[:offset])).fetch_headers(UidSet.span(1, 2))
        first = next(rows, None) if offset >= len(row(1)) else None
        assert first is None or (isinstance(first, HeaderRow) and first.header.endswith(b"<m1@x.test>\r\n\r\n"))


@SERVERS
def test_f12_a_cut_fetch_moves_no_cursor(
    dovecot: Dovecot, proxy: FaultProxy, account: MailAccount, lacking: tuple[str, ...]
) -> None:
    """The same through a real session: at the first page, then for new mail; ten offsets each, over all of the rows."""
    poorer(proxy, lacking)
    dovecot.load_maildir(account.address, [message(n) for n in range(4)])
    for rows in (4, 3):
        for tenth in range(10):
            rule = proxy.rule("to_client", ROW, cut(after=rows * 700 * tenth // 10))
            sync_account(account.pk)
            assert rule.hits
            never_past(dovecot, account)
        proxy.clear()
        poorer(proxy, lacking)
        sync(account)
        check(dovecot, account)
        dovecot.deliver(account.address, *[message(900 + n) for n in range(3)])
    sync(account)
    check(dovecot, account)


# --- 13 --------------------------------------------------------------------------------------------------------------


@SERVERS
def test_f13_fetch_omits_a_tenth_of_the_rows(
    dovecot: Dovecot, proxy: FaultProxy, account: MailAccount, clock: Clock, lacking: tuple[str, ...]
) -> None:
    """At the first page, in older windows and for new mail: all are there after the recheck of the same pass."""
    poorer(proxy, lacking)
    tenth = rb"\A\* \d+ FETCH \(UID \d*%d .*HEADER\.FIELDS"
    dovecot.load_maildir(account.address, [message(n) for n in range(260)])
    omitted = [proxy.rule("to_client", tenth % 4, drop(), nth=nth) for nth in range(1, 27)]
    sync(account)
    check(dovecot, account)
    dovecot.deliver(account.address, *[message(900 + n) for n in range(10)])
    omitted.append(proxy.rule("to_client", tenth % 5, drop()))
    sync(account)
    check(dovecot, account)
    assert all(rule.hits for rule in omitted)
    assert clock.rests


def test_f13_what_never_comes_is_marked_and_asked_for_the_next_day(
    dovecot: Dovecot, proxy: FaultProxy, account: MailAccount, clock: Clock
) -> None:
    dovecot.load_maildir(account.address, [message(n) for n in range(20)])
    proxy.rule("to_client", rb"\A\* \d+ FETCH \(UID 7 .*HEADER\.FIELDS", drop(), nth=None)
    sync(account)
    marked = Placement.objects.filter(account=account, state=Placement.State.UNFETCHABLE)
    assert list(marked.values_list("uid", "problem")) == [(7, "not-sent")]
    proxy.clear()
    clock.advance(hours=25)
    dovecot.deliver(account.address, message(900))
    sync(account)
    check(dovecot, account)


# --- 14 --------------------------------------------------------------------------------------------------------------


def test_f14_vanished_names_nearly_all(
    dovecot: Dovecot, proxy: FaultProxy, account: MailAccount, caplog: pytest.LogCaptureFixture
) -> None:
    dovecot.load_maildir(account.address, [message(n) for n in range(150)])
    sync(account)
    before = here(account)["INBOX"].keys()
    lie = proxy.rule("to_client", rb"\A\* OK \[UIDVALIDITY", inject(after=b"* VANISHED (EARLIER) 1:148\r\n"))
    dovecot.deliver(account.address, message(900))
    sync(account)
    assert lie.hits
    assert here(account)["INBOX"].keys() > before
    check(dovecot, account)
    assert "148 messages said to be gone are there" in caplog.text


# --- 15 --------------------------------------------------------------------------------------------------------------


def lie_in_search(proxy: FaultProxy) -> None:
    """SEARCH and ESEARCH find nothing, ever."""
    proxy.rule("to_client", rb"\A\* SEARCH", replace(b"* SEARCH\r\n"), nth=None)
    proxy.rule(
        "to_client", rb"\A\* ESEARCH", replace(b" COUNT 0", part=rb"(?: ALL \S+)? COUNT \d+(?: ALL \S+)?"), nth=None
    )


@SERVERS
def test_f15_search_finds_nothing(
    dovecot: Dovecot, proxy: FaultProxy, account: MailAccount, lacking: tuple[str, ...]
) -> None:
    """From the first look on, over older windows, arrivals and departures: nothing is hidden, nothing missed."""
    poorer(proxy, lacking)
    lie_in_search(proxy)
    dovecot.load_maildir(account.address, [message(n) for n in range(230)])
    sync(account)
    check(dovecot, account)
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "8:9", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.append("INBOX", None, None, message(900))
    sync(account)
    check(dovecot, account)


# --- 16 --------------------------------------------------------------------------------------------------------------


@SERVERS
def test_f16_news_of_flags_without_a_uid(
    dovecot: Dovecot, proxy: FaultProxy, account: MailAccount, lacking: tuple[str, ...]
) -> None:
    """Sequence number 5 is UID 25 here: who takes the one for the other marks the wrong message."""
    poorer(proxy, lacking)
    dovecot.load_maildir(account.address, [message(n) for n in range(40)])
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "1:20", "+FLAGS", r"(\Deleted)")
        client.expunge()
    news = b"* 5 FETCH (FLAGS (\\Seen \\Deleted))\r\n* 21 FETCH (FLAGS (\\Flagged))\r\n"
    rules = [proxy.rule("to_client", rb"\AM\d+ OK", inject(before=news), nth=nth) for nth in range(3, 40)]
    rules.append(proxy.rule("to_client", ROW, inject(before=news), nth=3))
    sync(account)
    with other_client(dovecot, account.address) as client:
        client.append("INBOX", None, None, message(900))
        client.uid("STORE", "30", "+FLAGS", r"(\Answered)")
    sync(account)
    assert sum(rule.hits for rule in rules) > 5
    proxy.clear()
    poorer(proxy, lacking)
    check(dovecot, account)


# --- 17 --------------------------------------------------------------------------------------------------------------


@SERVERS
def test_f17_expunged_between_select_and_fetch(
    dovecot: Dovecot, proxy: FaultProxy, account: MailAccount, lacking: tuple[str, ...]
) -> None:
    """Another client removes the oldest while we are about to read by sequence number, and again before news."""
    poorer(proxy, lacking)
    dovecot.load_maildir(account.address, [message(n) for n in range(30)])

    def expunge(uids: str) -> None:
        with other_client(dovecot, account.address) as client:
            client.uid("STORE", uids, "+FLAGS", r"(\Deleted)")
            client.expunge()

    first = proxy.rule("to_server", rb"\AM\d+ FETCH \d+:\d+ \(UID", call(lambda: expunge("1:6,10")))
    told = proxy.rule("to_client", rb"\A\* (\d+ EXPUNGE|VANISHED \d)", inject(), nth=None)  # unasked, and passed on
    sync(account)
    check(dovecot, account)
    dovecot.deliver(account.address, message(900), message(901))
    second = proxy.rule("to_server", rb"UID FETCH \d+:\d+ \(UID .*HEADER", call(lambda: expunge("12:14,31")))
    sync(account)
    sync(account)
    check(dovecot, account)
    assert (first.hits, second.hits) == (1, 1)
    assert told.hits


# --- 18 --------------------------------------------------------------------------------------------------------------

BREAKAGES = {
    "quote": (rb"BODYSTRUCTURE \(", b'BODYSTRUCTURE (" '),
    "short list": (rb"BODYSTRUCTURE \(.*\) BODY\[", b"BODYSTRUCTURE ( BODY["),
    "no size": (rb"RFC822\.SIZE \d+", b"RFC822.SIZE NIL"),
    "nil": (rb"BODYSTRUCTURE \(.*\) BODY\[", b"BODYSTRUCTURE nil BODY["),
    "NIL": (rb"BODYSTRUCTURE \(.*\) BODY\[", b"BODYSTRUCTURE NIL BODY["),
    "date": (rb'INTERNALDATE "[^"]*"', b'INTERNALDATE "32-Foo-2024 99:00:00 +0000"'),
    "no date": (rb'INTERNALDATE "[^"]*"', b"INTERNALDATE nil"),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_f18_one_malformed_row(
    dovecot: Dovecot, proxy: FaultProxy, account: MailAccount, clock: Clock, breakage: str
) -> None:
    """UID 12 of 60 in one window: all others are stored; it is stored too where it can be read, else marked."""
    dovecot.load_maildir(account.address, [message(n) for n in range(60)])
    part, new = BREAKAGES[breakage]
    broken = proxy.rule("to_client", rb"\A\* 12 FETCH \(UID 12 .*HEADER", replace(new, part=part), nth=None)
    sync(account)
    assert broken.hits
    readable = breakage in ("nil", "NIL", "date", "no date")
    stored = here(account)["INBOX"].keys()
    assert stored == set(range(1, 61)) - (set() if readable else {12})
    marked = Placement.objects.filter(account=account, state=Placement.State.UNFETCHABLE)
    assert list(marked.values_list("uid", flat=True)) == ([] if readable else [12])
    assert all(re.fullmatch(r"[a-zA-Z ,'-]+", problem) for problem in marked.values_list("problem", flat=True))
    proxy.clear()
    clock.advance(hours=25)
    dovecot.deliver(account.address, message(900))
    sync(account)
    check(dovecot, account)
