"""An invitation that a later message of its organiser changed or called off, as the older card tells it (RFC 5546)."""

import importlib
import itertools

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests import factories
from tests.security.arriving import address_of, deliver
from webmail.models import CalendarNotice, Mailbox, Message, MessageAnswer, Outgoing, Placement
from webmail.sync import bodies, prefetch

from .conftest import Somebody

CHANGED, CANCELLED = "The organiser changed this on", "The organiser called this off on"
ANSWER = 'value="accepted"'
NOOR, UID = "noor@studio.example", "planning@studio.example"
_numbers = itertools.count(1)


def arrive(
    box: Mailbox,
    *lines: str,
    method: str = "REQUEST",
    sender: str = NOOR,
    organiser: str = NOOR,
    uid: str = UID,
    head: tuple[str, ...] = (),
) -> Message:
    event = [f"UID:{uid}", "SUMMARY:Planning", "DTSTART:20261128T090000Z", f"ORGANIZER:mailto:{organiser}"]
    event += ["ATTENDEE:mailto:alice@harbourlane.example", *lines]
    calendar = ["BEGIN:VCALENDAR", f"METHOD:{method}", "BEGIN:VEVENT", *event, "END:VEVENT", "END:VCALENDAR"]
    number = next(_numbers)
    fields = [f"From: {sender}", f"Subject: Planning {number}", f"Message-ID: <{number}@x.test>", *head]
    fields += ["MIME-Version: 1.0", f"Content-Type: text/calendar; charset=utf-8; method={method}", ""]
    return deliver(box, "\r\n".join([*fields, *calendar, ""]).encode())


def card(who: Somebody, message: Message) -> str:
    return who.client.get(address_of(who.inbox, message)).content.decode()


def accept(who: Somebody, message: Message) -> None:
    url = reverse("mail:invitation", args=[message.pk])
    who.client.post(url, {"do": "accepted", "next": address_of(who.inbox, message)})


FIRST = ("SEQUENCE:1", "DTSTAMP:20261120T080000Z")


@pytest.mark.parametrize(
    ("method", "lines", "words"),
    [
        ("REQUEST", ("SEQUENCE:2", "DTSTAMP:20261121T080000Z"), CHANGED),
        ("REQUEST", ("SEQUENCE:2", "DTSTAMP:20261119T080000Z"), CHANGED),  # the number goes before the date
        ("REQUEST", ("SEQUENCE:1", "DTSTAMP:20261121T080000Z"), CHANGED),
        ("CANCEL", ("SEQUENCE:2", "DTSTAMP:20261121T080000Z"), CANCELLED),
        ("CANCEL", FIRST, CANCELLED),
        ("CANCEL", (), ""),
        ("REQUEST", ("SEQUENCE:2", "STATUS:CANCELLED"), CANCELLED),
        ("REQUEST", FIRST, ""),
        ("REQUEST", ("SEQUENCE:1", "DTSTAMP:20261119T080000Z"), ""),
        ("REQUEST", ("SEQUENCE:0", "DTSTAMP:20261121T080000Z"), ""),
        ("REPLY", ("SEQUENCE:2", "DTSTAMP:20261121T080000Z"), ""),
        ("PUBLISH", ("SEQUENCE:2", "DTSTAMP:20261121T080000Z"), ""),
    ],
)
def test_what_is_newer_is_said_and_answered_instead(
    alice: Somebody, method: str, lines: tuple[str, ...], words: str
) -> None:
    first = arrive(alice.inbox, *FIRST)
    assert ANSWER in card(alice, first)
    newer = arrive(alice.inbox, *lines, method=method)
    html = card(alice, first)
    assert (CHANGED in html, CANCELLED in html) == (words == CHANGED, words == CANCELLED)
    assert (ANSWER in html) == (not words)
    assert (f'href="{address_of(alice.inbox, newer)}#m-{newer.pk}"' in html) == bool(words)
    accept(alice, first)
    assert Outgoing.objects.exists() == (not words)
    if words:
        assert "The organiser c" not in card(alice, newer)


def test_what_came_late_is_no_change_and_says_so_itself(alice: Somebody) -> None:
    newer = arrive(alice.inbox, "SEQUENCE:2")
    late = arrive(alice.inbox, "SEQUENCE:1")
    assert CHANGED not in card(alice, newer)
    assert CHANGED in card(alice, late)


def test_the_newest_of_several_counts(alice: Somebody) -> None:
    first = arrive(alice.inbox, "SEQUENCE:0")
    called_off = arrive(alice.inbox, "SEQUENCE:1", method="CANCEL")
    again = arrive(alice.inbox, "SEQUENCE:2")
    for message in (first, called_off):
        html = card(alice, message)
        assert CHANGED in html
        assert f"#m-{again.pk}" in html
    assert ANSWER in card(alice, again)


@pytest.mark.parametrize(
    ("sender", "organiser", "uid"),
    [
        ("evil@x.test", NOOR, UID),
        ("evil@x.test", "evil@x.test", UID),
        (NOOR, "evil@x.test", UID),
        (NOOR, NOOR, "other@studio.example"),
    ],
)
def test_nobody_else_changes_an_event(alice: Somebody, sender: str, organiser: str, uid: str) -> None:
    first = arrive(alice.inbox, *FIRST)
    arrive(alice.inbox, "SEQUENCE:9", method="CANCEL", sender=sender, organiser=organiser, uid=uid)
    html = card(alice, first)
    assert CANCELLED not in html
    assert ANSWER in html


def test_a_stranger_with_many_messages_does_not_hide_the_change(alice: Somebody) -> None:
    first = arrive(alice.inbox, *FIRST)
    arrive(alice.inbox, "SEQUENCE:2")
    for number in range(205):
        arrive(alice.inbox, f"SEQUENCE:{number + 100}", sender="evil@x.test")
    assert CHANGED in card(alice, first)


def test_whoever_wrote_the_first_may_change_it_for_the_organiser(alice: Somebody) -> None:
    first = arrive(alice.inbox, *FIRST, sender="assistant@studio.example")
    arrive(alice.inbox, "SEQUENCE:2", sender="Assistant@Studio.example", organiser="Noor@studio.example")
    assert CHANGED in card(alice, first)


def test_a_forged_sender_changes_nothing(alice: Somebody) -> None:
    server = alice.account.incoming
    server.authentication_names = ["mx.receiver.example"]
    server.save(update_fields=["authentication_names"])
    first = arrive(alice.inbox, *FIRST)
    forged = "Authentication-Results: mx.receiver.example; dmarc=fail header.from=studio.example"
    arrive(alice.inbox, "SEQUENCE:2", method="CANCEL", head=(forged,))
    assert CANCELLED not in card(alice, first)


@pytest.mark.parametrize(("role", "counts"), [("junk", False), ("drafts", False), ("trash", True), ("archive", True)])
def test_where_the_newer_message_lies(alice: Somebody, role: str, counts: bool) -> None:
    first = arrive(alice.inbox, *FIRST)
    box = Mailbox.objects.filter(account=alice.account, role=role).first()
    if box is None:
        box = factories.mailbox(alice.account, role)
    newer = arrive(box, "SEQUENCE:2")
    assert (CHANGED in card(alice, first)) == counts
    Placement.objects.filter(message=newer).update(state=Placement.State.GONE)
    assert CHANGED not in card(alice, first)


def test_nor_in_another_account(alice: Somebody, bob: Somebody) -> None:
    first = arrive(alice.inbox, *FIRST)
    arrive(bob.inbox, "SEQUENCE:2")
    assert CHANGED not in card(alice, first)


OCCASION = "RECURRENCE-ID:20261205T090000Z"


@pytest.mark.parametrize(
    ("first", "newer", "method", "words"),
    [
        ((), (OCCASION,), "CANCEL", ""),  # one occasion is not the series
        ((OCCASION,), (), "CANCEL", CANCELLED),
        ((OCCASION,), (), "REQUEST", ""),
        ((OCCASION,), (OCCASION,), "REQUEST", CHANGED),
        ((OCCASION,), ("RECURRENCE-ID:20261212T090000Z",), "CANCEL", ""),
    ],
)
def test_one_occasion_and_all_of_them(
    alice: Somebody, first: tuple[str, ...], newer: tuple[str, ...], method: str, words: str
) -> None:
    message = arrive(alice.inbox, "SEQUENCE:0", *first)
    arrive(alice.inbox, "SEQUENCE:1", *newer, method=method)
    html = card(alice, message)
    assert (CHANGED in html, CANCELLED in html) == (words == CHANGED, words == CANCELLED)


OFF, OTHERWISE = "The organiser called off", "The organiser changed"


def test_of_a_series_the_occasions_that_were_called_off_are_named(alice: Somebody) -> None:
    series = arrive(alice.inbox, "SEQUENCE:0", "RRULE:FREQ=WEEKLY")
    assert OFF not in card(alice, series)
    later = arrive(alice.inbox, "SEQUENCE:1", "RECURRENCE-ID;VALUE=DATE:20261212", method="CANCEL")
    off = arrive(alice.inbox, "SEQUENCE:1", OCCASION, method="CANCEL")
    html = card(alice, series)
    assert ANSWER in html  # the series takes place
    assert html.index(f"{OFF} Saturday 5 December 2026.") < html.index(f"{OFF} Saturday 12 December 2026.")
    assert f"#m-{off.pk}" in html
    assert f"#m-{later.pk}" in html
    again = arrive(alice.inbox, "SEQUENCE:2", OCCASION)
    html = card(alice, series)
    assert f"{OFF} Saturday 5 December" not in html
    assert f"{OTHERWISE} Saturday 5 December 2026." in html
    assert f"{OFF} Saturday 12 December 2026." in html
    assert OFF not in card(alice, again)


def test_a_newer_invitation_to_the_series_and_strangers_call_no_occasion_off(alice: Somebody) -> None:
    arrive(alice.inbox, "SEQUENCE:1", OCCASION, method="CANCEL")
    series = arrive(alice.inbox, "SEQUENCE:2", "RRULE:FREQ=WEEKLY")
    arrive(alice.inbox, "SEQUENCE:3", OCCASION, method="CANCEL", sender="evil@x.test")
    assert OFF not in card(alice, series)


def test_of_a_series_the_occasions_that_were_changed_are_named(alice: Somebody) -> None:
    series = arrive(alice.inbox, "SEQUENCE:0", "DTSTAMP:20261120T080000Z", "RRULE:FREQ=WEEKLY")
    moved = arrive(alice.inbox, "SEQUENCE:0", "DTSTAMP:20261121T080000Z", OCCASION)
    off = arrive(alice.inbox, "SEQUENCE:1", "RECURRENCE-ID;VALUE=DATE:20261212", method="CANCEL")
    html = card(alice, series)
    assert html.index(f"{OTHERWISE} Saturday 5 December 2026.") < html.index(f"{OFF} Saturday 12 December 2026.")
    assert f"#m-{moved.pk}" in html
    assert f"#m-{off.pk}" in html
    assert ANSWER in html
    arrive(alice.inbox, "SEQUENCE:2", OCCASION, sender="evil@x.test", organiser="evil@x.test")
    arrive(alice.inbox, "SEQUENCE:3", OCCASION, method="CANCEL")
    html = card(alice, series)
    assert f"{OFF} Saturday 5 December 2026." in html
    assert OTHERWISE not in html


EARLIER = "You accepted the earlier invitation"


def test_an_answer_to_the_earlier_invitation_is_recalled(alice: Somebody) -> None:
    first = arrive(alice.inbox, *FIRST)
    accept(alice, first)
    newer = arrive(alice.inbox, "SEQUENCE:2")
    html = card(alice, newer)
    assert EARLIER in html
    assert ANSWER in html
    assert 'aria-pressed="true"' not in html.partition(f'id="invite-{newer.pk}"')[2]  # it was another time
    accept(alice, newer)
    html = card(alice, newer)
    assert EARLIER not in html
    assert "You accepted" in html


def test_the_last_of_several_answers_is_recalled_and_none_that_was_taken_back(alice: Somebody) -> None:
    first = arrive(alice.inbox, "SEQUENCE:0")
    accept(alice, first)
    second = arrive(alice.inbox, "SEQUENCE:1")
    url = reverse("mail:invitation", args=[second.pk])
    alice.client.post(url, {"do": "declined", "next": address_of(alice.inbox, second)})
    third = arrive(alice.inbox, "SEQUENCE:2")
    assert "You declined the earlier invitation" in card(alice, third)
    Outgoing.objects.filter(answers__message=second).update(state=Outgoing.State.CANCELLED)
    assert EARLIER in card(alice, third)


@pytest.mark.parametrize(
    ("lines", "others"),
    [
        (("SEQUENCE:0",), {}),  # came late
        (("SEQUENCE:2",), {"uid": "other@studio.example"}),
        (("SEQUENCE:2",), {"sender": "evil@x.test"}),
        (("SEQUENCE:2",), {"method": "CANCEL"}),
        (("SEQUENCE:2", OCCASION), {}),  # what was said of all of them says nothing of this one's new time
    ],
)
def test_no_answer_is_recalled_elsewhere(alice: Somebody, lines: tuple[str, ...], others: dict[str, str]) -> None:
    first = arrive(alice.inbox, *FIRST)
    accept(alice, first)
    assert "the earlier invitation" not in card(alice, arrive(alice.inbox, *lines, **others))  # type: ignore[arg-type]  # as named


def test_what_another_account_answered_is_not_recalled(alice: Somebody, bob: Somebody) -> None:
    accept(bob, arrive(bob.inbox, *FIRST))
    assert "the earlier invitation" not in card(alice, arrive(alice.inbox, "SEQUENCE:2"))


def test_of_many_occasions_the_first_are_named_and_the_rest_counted(alice: Somebody) -> None:
    series = arrive(alice.inbox, "SEQUENCE:0", "RRULE:FREQ=DAILY")
    for day in range(1, 9):
        arrive(alice.inbox, "SEQUENCE:1", f"RECURRENCE-ID;VALUE=DATE:2026120{day}", method="CANCEL")
    html = card(alice, series)
    assert html.count(OFF) == 5
    assert "and 3 more days" in html


def test_an_answer_from_a_page_that_is_out_of_date_is_refused_in_words(alice: Somebody) -> None:
    first = arrive(alice.inbox, *FIRST)
    arrive(alice.inbox, "SEQUENCE:2")
    url = reverse("mail:invitation", args=[first.pk])
    data = {"do": "accepted", "next": address_of(alice.inbox, first)}
    plain = alice.client.post(url, data, follow=True)
    assert "was changed since" in plain.content.decode()
    by_script = alice.client.post(url, data, headers={"HX-Request": "true"})
    assert by_script.status_code == 204
    assert "was changed since" in by_script.headers["HX-Trigger"]
    assert "mailroom:reading" in by_script.headers["HX-Trigger"]
    assert not MessageAnswer.objects.exists()


def test_what_is_read_again_is_noticed_once(alice: Somebody) -> None:
    message = arrive(alice.inbox, *FIRST)
    bodies.analyse_raw(message.pk)
    notice = CalendarNotice.objects.get()
    assert (notice.sender, notice.sequence, notice.stamp) == (NOOR, 1, "20261120T080000Z")


def test_a_conversation_without_invitations_asks_for_none(alice: Somebody) -> None:
    with CaptureQueriesContext(connection) as asked:
        alice.client.get(f"/mail/{alice.account.pk}/{alice.inbox.pk}/{alice.placement.thread_id}/")
    assert not [one for one in asked.captured_queries if "calendarnotice" in one["sql"]]


def test_invitations_from_before_there_were_notices_have_theirs(alice: Somebody) -> None:
    first, newer = arrive(alice.inbox, "SEQUENCE:1"), arrive(alice.inbox, "SEQUENCE:2", method="CANCEL")
    arrive(alice.inbox, method="REPLY", uid="other@studio.example")
    before = [(one.key, one.sender, one.sequence, one.cancels) for one in CalendarNotice.objects.order_by("pk")]
    CalendarNotice.objects.all().delete()
    importlib.import_module("webmail.migrations.0017_calendar_notices")._from_what_is_here(apps, None)
    notices = CalendarNotice.objects.order_by("pk")
    assert [(one.key, one.sender, one.sequence, one.cancels) for one in notices] == before
    assert [one.message_id for one in notices] == [first.pk, newer.pk]
    assert CANCELLED in card(alice, first)


def test_a_calendar_alone_is_brought_ahead(alice: Somebody) -> None:
    calendar = b'("text" "calendar" ("method" "CANCEL") NIL NIL "7bit" 400 12)'
    placement = factories.message(alice.inbox, structure=calendar, has_invite=True)
    assert list(prefetch._likely([placement], [placement])) == [placement]
    picture = b'("image" "png" NIL NIL NIL "base64" 400)'
    other = factories.message(alice.inbox, structure=picture)
    assert list(prefetch._likely([other], [other])) == []
