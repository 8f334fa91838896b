"""Receipts as they are written, read back by our own parser and by the standard library's."""

import io
from datetime import UTC, datetime
from email import message_from_bytes

import pytest

from webmail.mime.addresses import Address
from webmail.mime.build import Composition, MachinePart, write_message
from webmail.mime.parse import parse_message
from webmail.mime.receipts import displayed
from webmail.mime.reports import parse_report

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def written(machine: MachinePart) -> bytes:
    out = io.BytesIO()
    write_message(
        Composition(
            from_=(Address(name="Älice", addr_spec="alice@a.test"),),
            to=(Address(name="", addr_spec="bob@b.test"),),
            subject="Opened: Füße",
            message_id="1@a.test",
            date=NOON,
            boundary_seed=b"0" * 16,
            text="Opened – perhaps read.",
            machine=machine,
        ),
        out,
        keep_bcc=False,
    )
    return out.getvalue()


def test_a_receipt_says_what_programs_look_for() -> None:
    raw = written(displayed(reader="alice@a.test", original_id="x@b.test"))
    message = message_from_bytes(raw)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "disposition-notification"
    kinds = [part.get_content_type() for part in message.walk()][1:3]
    assert kinds == ["text/plain", "message/disposition-notification"]
    ours = parse_report("message/disposition-notification", raw.split(b"\r\n\r\n", 3)[3])
    assert ours is not None
    assert (ours.kind, ours.original_id) == ("reading", "x@b.test")
    assert [(fate.address, fate.action) for fate in ours.fates] == [("alice@a.test", "displayed")]
    assert parse_message(raw).headers.subject == "Opened: Füße"


@pytest.mark.parametrize("original_id", ["a\r\nDisposition: x", "ä@b.test", "x" * 2_000, ""])
def test_odd_identifiers_are_left_out(original_id: str) -> None:
    assert "Original-Message-ID" not in displayed(reader="alice@a.test", original_id=original_id).text


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="Final-Recipient"):
        displayed(reader="a@b.test\r\nX: y", original_id="")
