"""Contact cards of three versions, and what is none."""

import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from webmail.mime import contact_cards, contentlines
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


def test_quoted_lines_of_the_oldest_version_go_on_after_a_soft_break() -> None:
    raw = card(
        "VERSION:2.1",
        "FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen=20=",
        "M=C3=BCller=",
        "-Lands=",
        "",
        "ADR;WORK;QUOTED-PRINTABLE:;;Quay 4=0D=0A=",
        "Second floor;Bergen;;5003;Norway",
        "TEL:+47 1=",
        "EMAIL:jm@x.test",
    )
    (found,) = read_cards(raw)
    assert found.name == "Jürgen Müller-Lands"
    assert found.addresses == ["Quay 4 Second floor, Bergen, 5003, Norway"]
    assert found.numbers == ["+47 1="]  # no quoted line: its sign of equality is one
    assert found.mails == ["jm@x.test"]


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("a;b", ["a", "b"]),
        ("a\\;b;c", ["a;b", "c"]),
        ("a\\\\;b", ["a\\", "b"]),
        (";;a;;", ["a"]),
        ("a\\", ["a"]),
        ("\\", []),
        ("a\\,b\\nc", ["a,b c"]),
        ("", []),
    ],
)
def test_components(value: str, parts: list[str]) -> None:
    (found,) = read_cards(card("TEL:1", f"ORG:{value}"))
    assert found.organisation == ", ".join(parts)


HOSTILE = {
    "escapes": "\\" * 2**20,
    "escaped ends": "\\;" * 2**19,
    "separators": ";" * 2**20,
    "letters": "a" * 2**20,
    "both": "a\\" * 2**19,
    "quoted": "=" * 2**20,
    "broken": "=\r\n" * 2**18,
    "soft": "=41=\r\n" * 2**17,
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", ["N", "ORG;ENCODING=QUOTED-PRINTABLE", "FN;ENCODING=QUOTED-PRINTABLE"])
def test_a_megabyte_of_anything_is_taken_in_few_steps(name: str, value: str) -> None:
    """Two for each octet that is read, counted in lines of Python that run: no machine's load changes those."""
    steps = 0

    def count(frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        nonlocal steps
        steps += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        found = read_cards(card("TEL:1", f"{name}:{value}"))
    finally:
        sys.settrace(before)
    assert steps < 2 * contentlines.LARGEST
    assert all(len(one.name) <= 700 and len(one.organisation) <= 10 * 302 for one in found)


def test_no_pattern_is_possessive() -> None:
    """Pythons before 3.11.5 err with them."""
    patterns = [value for value in vars(contact_cards).values() if isinstance(value, re.Pattern)]
    patterns += [value for value in vars(contentlines).values() if isinstance(value, re.Pattern)]
    assert patterns
    for pattern in patterns:
        words = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode()
        assert not re.search(r"(?<!\\)[*+?}]\+|\(\?>", words), words
