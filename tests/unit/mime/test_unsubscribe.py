"""List-Unsubscribe in the wild: what may be used of it, and what comes of hostile values."""

import pytest

from webmail.mime.unsubscribe import Letter, Ways, asks_one_click, ways_out


@pytest.mark.parametrize(
    ("value", "ways"),
    [
        ("<https://News.test/u?1>, <mailto:u@news.test>",
         Ways("https://News.test/u?1", "news.test", Letter("u@news.test"))),
        ("(use this) <mailto:u@news.test?subject=leave%20me&body=now>",
         Ways(letter=Letter("u@news.test", "leave me", "now"))),
        ("<https://news.test/\n u>", Ways("https://news.test/u", "news.test")),
        ("<http://news.test/u>, <https://news.test:443/u>", Ways("https://news.test:443/u", "news.test")),
        ("<mailto:one@a.test>, <mailto:two@a.test>", Ways(letter=Letter("one@a.test"))),
    ],
)  # fmt: skip
def test_what_is_offered(value: str, ways: Ways) -> None:
    assert ways_out(value) == ways


@pytest.mark.parametrize(
    "value",
    [
        "",
        "https://news.test/u",
        "<javascript:alert(1)>",
        "<https://user@news.test/>",
        "<https://news.test:8443/>",
        "<https://news.test\\@evil.test/>",
        "<https://[::1/>",
        "<https://n\u0435ws.test/>",
        "<https://news.test/" + "u" * 3_000 + ">",
        "<mailto:>",
        "<mailto:a@b.test,c@d.test>",
        "<mailto:%0d%0abcc:x@y.test>",
        "<" * 100_000,
    ],
)
def test_what_is_not(value: str) -> None:
    assert ways_out(value) == Ways()


def test_of_a_letter_only_three_fields_count() -> None:
    letter = ways_out("<mailto:u@a.test?bcc=x@y.test&attach=/etc/passwd&subject=a%0d%0ab&to=z@y.test>").letter
    assert letter == Letter("u@a.test", "a b")


def test_one_click_is_one_word() -> None:
    assert asks_one_click(" List-Unsubscribe=One-Click ")
    assert not asks_one_click("List-Unsubscribe=One-Click; more")
    assert not asks_one_click("")
