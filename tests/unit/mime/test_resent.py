"""Messages sent on as they are: the Resent block, what is left out of the header, and octets that stay."""

import io
from datetime import UTC, datetime

import pytest

from webmail.mime.addresses import Address
from webmail.mime.resent import LARGEST_HEADER, Resending, write_resent

RESENDING = Resending(
    from_=Address("Änn", "ann@example.org"),
    to=(Address("", "bob@example.com"), Address("", "cy@example.com")),
    message_id="r1@example.org",
    date=datetime(2026, 3, 5, 10, 20, 30, tzinfo=UTC),
)
BLOCK = (
    b"Resent-Date: Thu, 05 Mar 2026 10:20:30 +0000\r\n"
    b"Resent-From: =?utf-8?q?=C3=84nn?= <ann@example.org>\r\n"
    b"Resent-To: bob@example.com, cy@example.com\r\n"
    b"Resent-Message-ID: <r1@example.org>\r\n"
)


def resent(raw: bytes, resending: Resending = RESENDING) -> bytes:
    out = io.BytesIO()
    write_resent(resending, io.BytesIO(raw), out)
    return out.getvalue()


def test_the_message_stands_octet_by_octet_below_the_block() -> None:
    raw = b"DKIM-Signature: v=1;\r\n\tb=x\r\nFrom: a@b.example\r\nSubject: =?x?\r\n\r\nfrom \xff\r\n.\r\n"
    assert resent(raw) == BLOCK + raw


def test_what_meant_only_the_first_delivery_is_left_out_with_its_folded_lines() -> None:
    dropped = b"Return-Path: <x@y.example>\nDelivered-To:\n me@here.example\nBCC: spy@e.example\n"
    raw = dropped + b"Received: by x\n y\nA: b\n\nHi"
    assert resent(raw) == BLOCK + b"Received: by x\r\n y\r\nA: b\r\n\r\nHi\r\n"


@pytest.mark.parametrize("raw", [b"", b"A: b", b"A: b\r\n", b"\r\nbody only\r\n"])
def test_any_octets_are_a_message(raw: bytes) -> None:
    made = resent(raw)
    assert made.startswith(BLOCK)
    head, _, body = made.partition(b"\r\n\r\n")
    assert (b"A: b" in head, b"body only" in body) == (b"A" in raw, b"body" in raw)


def test_a_large_body_is_written_in_pieces_and_whole() -> None:
    body = (b"x" * 76 + b"\r\n") * 60_000
    assert resent(b"A: b\r\n\r\n" + body) == BLOCK + b"A: b\r\n\r\n" + body


def test_a_header_without_end_is_refused_before_anything_is_written() -> None:
    out = io.BytesIO()
    with pytest.raises(ValueError, match="too long"):
        write_resent(RESENDING, io.BytesIO(b"A: b\r\n" * (LARGEST_HEADER // 6 + 2)), out)
    assert out.getvalue() == b""


@pytest.mark.parametrize("value", ["a\r\nBcc: x@y", "a\n", "a\0"])
def test_line_breaks_reach_no_field(value: str) -> None:
    for broken in (Address(value, "a@b.example"), Address("", f"{value}@b.example")):
        resending = Resending(broken, RESENDING.to, RESENDING.message_id, RESENDING.date)
        with pytest.raises(ValueError, match="Resent-From"):
            resent(b"A: b\r\n\r\n", resending)


def test_a_folded_line_without_a_field_before_it_belongs_to_no_field_of_ours() -> None:
    assert resent(b" evil@e.example\r\n\tmore\r\nA: b\r\n\r\nHi\r\n") == BLOCK + b"A: b\r\n\r\nHi\r\n"


@pytest.mark.parametrize("raw", [b"A: b\r.\r\nRcpt: x\r\n\r\nHi\r\n", b"A: b\r\rBcc: c\r\n\r\nHi\r\n", b"A: b\r.\r"])
def test_no_bare_cr_ends_a_line_of_the_header_for_a_server_that_takes_it_for_one(raw: bytes) -> None:
    head = resent(raw).partition(b"\r\n\r\n")[0]
    assert b"\r" not in head.replace(b"\r\n", b"")
