"""What signatures claim to cover, from the header block of a message."""

from webmail.mime.headers import MAX_BYTES
from webmail.sync.signatures import signed_in

FIELDS = (
    b"From: a@b.test\r\nList-Unsubscribe: <https://b.test/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
)
SIGNATURE = (
    b"DKIM-Signature: v=1; d=b.test; s=k1;\r\n\th=From:List-Unsubscribe:\r\n\t List-Unsubscribe-Post:Reply-To;\r\n"
    b"\tb=AbC\r\n\t dEf\r\n"
)


def test_covered_fields_that_are_there() -> None:
    covered = ["from", "list-unsubscribe", "list-unsubscribe-post"]
    assert signed_in(SIGNATURE + FIELDS) == [("b.test", "k1", "AbCdEf", covered)]


def test_a_field_that_stands_twice_is_not_covered() -> None:
    second = b"List-Unsubscribe: <https://evil.test/>\r\n"
    for header in (second + SIGNATURE + FIELDS, SIGNATURE + FIELDS + second):
        assert signed_in(header)[0][3] == ["from", "list-unsubscribe-post"]


def test_a_header_that_is_read_in_part_covers_nothing() -> None:
    assert signed_in(SIGNATURE + FIELDS + b"X-Long: " + b"x" * MAX_BYTES) == []
    assert signed_in(SIGNATURE + FIELDS + b"X: y\r\n" * 600) == []
