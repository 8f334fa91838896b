"""List-Unsubscribe in the wild: what may be used of it, and what comes of hostile values."""

import pytest

from webmail.mime.unsubscribe import Letter, Ways, asks_one_click, ways_out

# what a reader's own network answers to: a click from inside it is not to be had by a mail
INSIDE = [
    *["localhost", "localhost.", "a.localhost", "router", "nas.local", "x.internal", "x.lan", "fritz.home.arpa"],
    *["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "10.0.0.1.", "[::1]", "[fe80::1%25e]"],
    *["127%2e0.0.1", "169.254.169.254", "a..test", ".test", "-a.test", "a_b.1", "intranet.corp"],
]


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
        "<mailto:a%00@b.test>",
        "<mailto:%E2%80%AEa@b.test>",
        "<mailto:a@b.test%0a>",
        "<mailto:a@b.test%3Fbcc=x@y.test>",
        "<mailto:@b.test>",
        *(f"<https://{host}/u>" for host in INSIDE),
        "<" * 100_000,
    ],
)
def test_what_is_not(value: str) -> None:
    assert ways_out(value) == Ways()


def test_of_a_letter_only_three_fields_count() -> None:
    letter = ways_out("<mailto:u@a.test?bcc=x@y.test&attach=/etc/passwd&subject=a%0d%0ab&to=z@y.test>").letter
    assert letter == Letter("u@a.test", "a b")
    cc = ways_out("<mailto:u@a.test?cc=x@y.test&in-reply-to=z&subject=%E2%80%AEabc%00&body=a%00%E2%80%AEb%0Ac>").letter
    assert cc == Letter("u@a.test", "abc", "ab\nc")


def test_one_click_is_one_word() -> None:
    assert asks_one_click(" List-Unsubscribe=One-Click ")
    assert not asks_one_click("List-Unsubscribe=One-Click; more")
    assert not asks_one_click("")
