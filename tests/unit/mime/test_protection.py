"""Signed and encrypted mail by its structure, and the message inside an opaque signature."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.packing import signed
from webmail.mime.cms import signed_content
from webmail.mime.parse import parse_message
from webmail.mime.security import Protection, protection_of


@pytest.mark.parametrize("streamed", [False, True])
def test_the_content_is_taken_out(streamed: bool) -> None:
    content = b"Content-Type: text/plain\r\n\r\nHello" * 30
    assert signed_content(signed(content, streamed=streamed)) == content


def test_what_is_cut_or_sealed_gives_nothing() -> None:
    whole = signed(b"x" * 300)
    assert [end for end in range(len(whole)) if signed_content(whole[:end]) is not None] == []
    sealed = whole.replace(bytes.fromhex("2a864886f70d010702"), bytes.fromhex("2a864886f70d010703"))
    assert signed_content(sealed) is None


@given(st.binary(max_size=200))
def test_nothing_is_too_odd(data: bytes) -> None:
    signed_content(data)
    signed_content(signed(b"")[:20] + data)
    signed_content(b"\x30\x80" * 100 + data)


def of(*lines: str) -> Protection | None:
    return protection_of(parse_message("\r\n".join(lines).encode()).root)


OPAQUE = ("--b", "Content-Type: application/octet-stream", "", "y", "--b--")
PARTS = ("", "--b", "Content-Type: text/plain", "", "hi", *OPAQUE)
PGP = "application/pgp"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (f'multipart/signed; protocol="{PGP}-signature"; boundary=b', Protection("signed", "openpgp")),
        ('multipart/signed; protocol="application/pkcs7-signature"; boundary=b', Protection("signed", "smime")),
        (
            'multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b',
            Protection("encrypted", "openpgp", "2"),
        ),
        ("multipart/mixed; boundary=b", None),
        ("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", Protection("encrypted", "smime", "1")),
        ("application/pkcs7-mime; name=smime.p7m", Protection("encrypted", "smime", "1")),
        ("application/x-pkcs7-mime; smime-type=signed-data", Protection("signed", "smime")),
        ("application/pkcs7-mime; smime-type=certs-only", None),
    ],
)
def test_the_structure_says_how_it_is_protected(kind: str, expected: Protection | None) -> None:
    assert of(f"Content-Type: {kind}", *PARTS) == expected


def test_a_list_that_adds_a_footer_changes_nothing() -> None:
    signed = ("--o", 'Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary=b', *PARTS)
    footer = ("--o", "Content-Type: text/plain", "", "footer", "--o--")
    assert of("Content-Type: multipart/mixed; boundary=o", "", *signed, *footer) == Protection("signed", "openpgp")


def test_encrypted_text_beside_other_text_makes_no_message_encrypted() -> None:
    """Nothing is decrypted, so that what stands beside it can learn nothing (S46)."""
    locked = ("--o", "Content-Type: multipart/encrypted; boundary=b", *PARTS)
    assert of("Content-Type: multipart/mixed; boundary=o", "", "--o", "", "words", *locked, "--o--") is None
