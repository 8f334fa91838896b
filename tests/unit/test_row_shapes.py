from dataclasses import replace
from datetime import UTC, datetime

from django.template import engines

from webmail.queries.values import Chip, Row

ROW = Row(
    thread_id=7,
    url="/mail/1/2/7/",
    senders="Amara",
    count=0,
    subject="Signage",
    snippet="See you at the pier",
    when=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    unread=False,
    starred=False,
    attachment=False,
    answered=False,
    forwarded=False,
    invite=False,
    avatar_name="Amara",
    avatar_address="amara@pier4.example",
    mailbox_id=2,
)


def drawn(row: Row, **context: object) -> str:
    template = engines["django"].from_string("{% list_rows rows %}")
    return template.render({"rows": [row]} | context)


def test_rows_of_one_kind_differ_by_their_values_alone() -> None:
    other = replace(ROW, thread_id=8, subject="Lunch", snippet="Soup", senders="Bo", url="/mail/1/2/8/")
    html = drawn(ROW).replace("t-7", "t-8").replace('"7"', '"8"').replace("2-7", "2-8").replace("/2/7/", "/2/8/")
    assert html.replace("Signage", "Lunch").replace("See you at the pier", "Soup").replace("Amara<", "Bo<") == drawn(
        other
    )


def test_mail_is_text_in_every_place_of_a_row() -> None:
    hostile = "<script>alert(1)</script>\" onclick='x'"
    html = drawn(
        replace(
            ROW, subject=hostile, snippet=hostile, senders=hostile, folder=hostile, group=hostile, lang=hostile,
            avatar_name=hostile, avatar_address=hostile, chips=(Chip(hostile),),
        )
    )  # fmt: skip
    assert "<script" not in html
    assert "\" onclick='" not in html
    assert html.count("&lt;script&gt;") >= 8


def test_mail_that_holds_a_mark_is_not_filled_again() -> None:
    assert "\ue000url\ue001" in drawn(replace(ROW, subject="\ue000url\ue001"))


def test_what_is_true_of_a_row_shows() -> None:
    html = drawn(replace(ROW, unread=True, starred=True, attachment=True, answered=True, count=3, group="Today"))
    for sign in ('class="row unread"', "data-starred", "has attachments", ">answered<", "3 messages", "<h2>Today</h2>"):
        assert sign in html
    quiet = drawn(ROW)
    for sign in ('class="row unread"', "data-starred", "has attachments", ">answered<", "thread-count", "<h2>"):
        assert sign not in quiet


def test_the_open_conversation_is_marked() -> None:
    assert 'aria-current="true"' in drawn(ROW, selected_key="7")
    assert "aria-current" not in drawn(ROW, selected_key="8")


def test_found_words_are_marked_and_escaped() -> None:
    html = drawn(replace(ROW, subject_marks=(("a <b> ", False), ("<pier>", True))))
    assert '<span class="subject">a &lt;b&gt; <mark>&lt;pier&gt;</mark></span>' in html


def test_several_labels_are_one_and_a_number() -> None:
    html = drawn(replace(ROW, chips=(Chip("Work", 4), Chip("Pier"), Chip("Later"))))
    assert '<span class="square hue-4"></span>Work' in html
    assert ">+2<" in html
