"""mailto links: what they may ask for, and that they ask for nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.mailto import MailTo, read_mailto


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mailto:bo@x.example", MailTo(to="bo@x.example")),
        ("MAILTO:bo@x.example,cy@x.example?to=dot@x.example", MailTo(to="bo@x.example,cy@x.example, dot@x.example")),
        ("mailto:?cc=a@b.example&Subject=Two%20w&body=1%0D%0A2", MailTo("", "a@b.example", "Two w", "1\n2")),
        ("mailto:bo+tag@x.example?subject=1+1", MailTo(to="bo+tag@x.example", subject="1+1")),
        ("mailto:%E6%97%A5@x.example?subject=%E2%82%AC", MailTo(to="日@x.example", subject="€")),
        ("mailto:bo@x.example?bcc=spy@x.example&attach=/etc/passwd&from=ceo@x.example", MailTo(to="bo@x.example")),
        ("mailto:bo@x.example%0D%0ABcc:c@d.example?subject=a%0Ab", MailTo("bo@x.example Bcc:c@d.example", "", "a b")),
        ("https://x.example/?to=bo@x.example", MailTo()),
        ("javascript:alert(1)", MailTo()),
    ],
)
def test_a_link_says_whom_and_what(url: str, expected: MailTo) -> None:
    assert read_mailto(url) == expected


@given(st.text(max_size=300))
def test_any_link_gives_single_lines(text: str) -> None:
    found = read_mailto("mailto:" + text)
    assert not [value for value in (found.to, found.cc, found.subject) if "\n" in value or "\r" in value]
