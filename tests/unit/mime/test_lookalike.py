"""Names that want to be taken for others (S47), and names in other scripts that do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.domains import ascii_domain, domain_of, lies_within, site
from webmail.mime.lookalike import closest, is_disguised, likeness, shown_address, shown_domain


@pytest.mark.parametrize(
    "domain",
    [
        "bücher.example",
        "zażółć.example",
        "почта.example",
        "παράδειγμα.example",
        "佐藤さん.example",
        "ショップ.example",
        "한국.example",
        "דואר.example",
        "مثال.example",
        "shop東京.example",
        "plain.example",
    ],
)
def test_names_of_one_script_are_shown_as_they_are(domain: str) -> None:
    assert shown_domain(domain) == domain
    assert shown_domain(ascii_domain(domain)) == domain
    assert not is_disguised(domain)


@pytest.mark.parametrize(
    "domain", ["аpple.example", "аррӏе.example", "ɡoogle.example", "раураӏ.example", "gооgle.example"]
)
def test_names_that_mix_scripts_or_imitate_latin_are_shown_as_they_are_written_on_the_wire(domain: str) -> None:
    assert shown_domain(domain) == ascii_domain(domain)
    assert shown_domain(domain).startswith("xn--")
    assert is_disguised(domain)
    assert shown_address(f"me@{domain}") == f"me@{ascii_domain(domain)}"


@pytest.mark.parametrize(
    ("domain", "known", "how"),
    [
        ("аррӏе.example", "apple.example", "alike"),
        ("paypa1.example", "paypal.example", "alike"),
        ("paypai.example", "paypal.example", "alike"),
        ("rnodern.example", "modern.example", "alike"),
        ("g00gle.example", "google.example", "alike"),
        ("bücher.example", "bucher.example", "alike"),
        ("mail.paypa1.example", "paypal.example", "alike"),
        ("bank.example.evil.test", "bank.example", "alike"),
        ("harborlane.example", "harbourlane.example", "close"),
        ("harbuorlane.example", "harbourlane.example", "close"),
        ("harbourlanes.example", "harbourlane.example", "close"),
        ("harbourlune.example", "harbourlane.example", "close"),
        ("harbourlane.test", "harbourlane.example", ""),
        ("harbour.example", "harbourlane.example", ""),
        ("bark.example", "bank.example", ""),  # too short to mean anything
        ("bank.example", "bank.example", ""),
        ("news.bank.example", "bank.example", ""),
        ("", "bank.example", ""),
        ("bank.example", "", ""),
    ],
)
def test_likeness(domain: str, known: str, how: str) -> None:
    assert likeness(domain, known) == how


@pytest.mark.parametrize("domain", ["harbourlane.test", "harbourlane-login.test", "harbourlane.evil.test"])
def test_the_own_name_is_judged_strictly(domain: str) -> None:
    assert likeness(domain, "harbourlane.example") == ""
    assert likeness(domain, "harbourlane.example", own=True) == "borrowed"


def test_the_worst_likeness_is_told() -> None:
    known = ["harbourlanes.example", "harbour1ane.example", "other.example"]
    assert closest("harbourlane.example", known) == ("alike", "harbour1ane.example")
    assert closest("harbourlane.example", ["unlike.example"]) == ("", "")
    assert closest("harbourlane.test", [], own=["harbourlane.example"]) == ("borrowed", "harbourlane.example")


def test_domains() -> None:
    assert ascii_domain(" Bücher.Example. ") == "xn--bcher-kva.example"
    assert ascii_domain("a" * 300) == ""
    assert domain_of("<me@Bank.example>") == "bank.example"
    assert lies_within("a.bank.example", "bank.example")
    assert not lies_within("abank.example", "bank.example")
    assert not lies_within("bank.example", "example")
    assert site("a.b.example.co.uk") == "example.co.uk"


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_is_compared_and_shown(one: str, other: str) -> None:
    assert isinstance(shown_domain(one), str)
    assert isinstance(shown_address(f"{one}@{other}"), str)
    assert likeness(one, one) == ""
    likeness(one, other, own=True)
