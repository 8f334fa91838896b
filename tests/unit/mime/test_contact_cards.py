"""Contact cards of three versions, and what is none."""

import pytest

from webmail.mime.contact_cards import Card, read_cards


def card(*lines: str) -> bytes:
    return "\r\n".join(["BEGIN:VCARD", *lines, "END:VCARD", ""]).encode()


def test_what_a_card_says() -> None:
    raw = card(
        "VERSION:3.0",
        "N:Dijk;Noor;van;;",
        "FN:Noor van Dijk",
        "ORG:Atelier Noor\\; Co;Upstairs",
        "TITLE:Founder",
        "item1.EMAIL;TYPE=INTERNET:noor@x.test",
        "EMAIL:noor@x.test",
        "TEL;VALUE=uri:tel:+47 1",
        "ADR;TYPE=WORK:;;Quay 4;Bergen;;5003;Norway",
        "PHOTO:https://track.test/x.png",
    )
    assert read_cards(raw) == (
        Card(
            "Noor van Dijk",
            "Atelier Noor; Co, Upstairs",
            "Founder",
            ["noor@x.test"],
            ["+47 1"],
            ["Quay 4, Bergen, 5003, Norway"],
        ),
    )


def test_the_oldest_version_is_quoted() -> None:
    (found,) = read_cards(card("VERSION:2.1", "FN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:J=FCrgen"))
    assert found.name == "Jürgen"
    (found,) = read_cards(card("N:Doe;Jane", "TEL:1"))
    assert found.name == "Jane Doe"


@pytest.mark.parametrize(
    "raw",
    [b"", b"Hello", card("VERSION:4.0"), b"BEGIN:VCARD\r\nFN:Open", b"END:VCARD\r\n" * 9, card("FN:") * 9],
)
def test_what_is_none(raw: bytes) -> None:
    assert read_cards(raw) == ()


def test_bounds() -> None:
    assert len(read_cards(card("FN:x") * 1_000)) == 10
    (found,) = read_cards(card("FN:" + "x" * 7_000, *[f"TEL:{number}" for number in range(100)]))
    assert (len(found.name), len(found.numbers)) == (300, 10)
    assert read_cards(card("FN:\u202eabc\x07"))[0].name == "abc"
