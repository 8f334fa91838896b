import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.addresses import Address
from webmail.mime.headers import MAX_BYTES, MAX_FIELDS, HeaderSummary, parse_header_block

BLOCK = b"""\
Return-Path: <ann@example.org>
Date: Tue, 05 Mar 2024 10:20:30 +0000
From: =?utf-8?Q?=C3=84nn?= Lee <ann@example.org>
Sender: office@example.org
Reply-To: "Lee, Ann" <reply@example.org>
To: Bob <bob@example.com>,
\tcarol@example.com
Cc: dave@example.com
Subject: =?utf-8?Q?Gr=C3=BC?=
 =?utf-8?Q?=C3=9Fe?= from here
Message-ID: <Abc.1@Example.ORG>
In-Reply-To: <parent@example.com>
References: <root@example.com> <parent@EXAMPLE.com>
List-Id: The list <news.example.org>
List-Unsubscribe: <https://example.org/u?1>,
 <mailto:u@example.org>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
Auto-Submitted: Auto-Replied
X-Priority: 1 (Highest)
Content-Type: text/plain; charset=utf-8
Authentication-Results: mx.example.com; dkim=pass
Authentication-Results: forged.example; dkim=pass
Disposition-Notification-To: ann@example.org

Subject: not this one
"""


@pytest.mark.parametrize("block", [BLOCK, BLOCK.replace(b"\n", b"\r\n"), b"\0\r\n" + BLOCK])
def test_every_field_is_found(block: bytes) -> None:
    assert parse_header_block(block) == HeaderSummary(
        subject="Grüße from here",
        from_=(Address("Änn Lee", "ann@example.org"),),
        sender=(Address("", "office@example.org"),),
        reply_to=(Address("Lee, Ann", "reply@example.org"),),
        to=(Address("Bob", "bob@example.com"), Address("", "carol@example.com")),
        cc=(Address("", "dave@example.com"),),
        message_id="Abc.1@example.org",
        in_reply_to="parent@example.com",
        references=("root@example.com", "parent@example.com"),
        date=datetime(2024, 3, 5, 10, 20, 30, tzinfo=UTC),
        list_id="news.example.org",
        list_unsubscribe="<https://example.org/u?1>, <mailto:u@example.org>",
        list_unsubscribe_post="List-Unsubscribe=One-Click",
        auto_submitted="auto-replied",
        importance="high",
        content_type="text/plain; charset=utf-8",
        authentication_results=("mx.example.com; dkim=pass", "forged.example; dkim=pass"),
        disposition_notification_to=(Address("", "ann@example.org"),),
    )


@pytest.mark.parametrize(
    ("block", "warning"),
    [
        (b"From: a@x.example\nFrom: b@x.example\n", "multiple-from"),
        (b"From: a@x.example, b@x.example\n", "multiple-authors"),
        (b"Subject: x\n", "no-from"),
        (b"From: \n", "no-from"),
        (b'From: "b@x.example" <a@x.example>\n', "address-in-name"),
        (b"From: a@x.example\nSubject: =?utf-8?Q?=E2=80=AEexe?=\n", "subject-bidi"),
        ("From: B\u202eob <a@x.example>\n".encode(), "bidi"),
        (b"From: a@x.example\n" + b"X: y\n" * (MAX_FIELDS + 1), "too-many-headers"),
        (b"From: a@x.example\nX: " + b"y" * MAX_BYTES, "headers-too-large"),
        (b"From: a@x.example\nTo: " + b"b@x.example," * 2_500, "too-many-addresses"),
    ],
)
def test_tricks_are_told(block: bytes, warning: str) -> None:
    assert warning in parse_header_block(block).warnings


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\xad", "\x07"])
def test_what_a_subject_hides_is_not_said_of_the_sender(hidden: str) -> None:
    """Soft hyphens and the like stand in many newsletters; a sender is not doubted for them."""
    warnings = parse_header_block(f"From: Bo <a@x.example>\nSubject: A{hidden}B\n".encode()).warnings
    assert warnings
    assert all(code.startswith("subject-") for code in warnings)


def test_all_authors_of_several_from_fields_are_kept() -> None:
    summary = parse_header_block(b"From: bank@x.example\nFrom: evil@x.example\n")
    assert [author.addr_spec for author in summary.from_] == ["bank@x.example", "evil@x.example"]


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        ("Subject: Grüße\n".encode(), "Grüße"),
        ("Subject: Grüße\n".encode("latin-1"), "Grüße"),
        ("Subject: Привет\nContent-Type: text/plain;\n charset=koi8-r\n".encode("koi8-r"), "Привет"),
        ("Subject: 日本\n".encode("iso2022_jp"), "日本"),
        ("Subject: Grüße\nTo: ".encode() + b"\xe9t\xe9 <a@x.example>\n", "Grüße"),
        (b"Subject: =?utf-8?Q?a=0Ab=0D=00c?=\n", "a b c"),
        (b"Subject:x\n", "x"),
        (b"Subject : x\n", "x"),
        (b"Subject: first\nSubject: second\n", "first"),
        (b"garbage\nSubject: x\n", "x"),
    ],
)
def test_subjects_in_the_wild(raw: bytes, subject: str) -> None:
    assert parse_header_block(raw).subject == subject


def test_long_chains_keep_root_and_nearest() -> None:
    block = b"References: " + b" ".join(b"<%d@x.example>" % number for number in range(5_000)) + b"\n"
    references = parse_header_block(block).references
    assert len(references) == 100
    assert (references[0], references[1], references[-1]) == ("0@x.example", "4901@x.example", "4999@x.example")


def test_exchange_identifiers_do_not_hurt() -> None:
    assert parse_header_block(b"Message-ID: <[abc@x.example]>\n").message_id == "[abc@x.example]"


NAMES = [b"From", b"To", b"Subject", b"Date", b"Message-ID", b"References", b"List-Id", b"Content-Type", b"X-Other"]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=80)), max_size=12))
def test_any_octets_give_storable_text(fields: list[tuple[bytes, bytes]]) -> None:
    summary = parse_header_block(b"".join(name + b": " + value + b"\r\n" for name, value in fields))
    shown = repr(dataclasses.astuple(summary))
    assert "\\x00" not in shown
    assert "\\ud8" not in shown
    summary.subject.encode("utf-8")
