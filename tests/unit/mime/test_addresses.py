import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.addresses import MAX_ADDRESSES, Address, format_address, parse_addresses


def one(value: str) -> Address:
    (address,) = parse_addresses(value)
    return address


# S45: what is shown is what a reply goes to, and every trick is told.
@pytest.mark.parametrize(
    ("value", "spec", "warning"),
    [
        ("bank@bank.example <x@evil.test>", "x@evil.test", "address-in-name"),
        ("a@bank.example:x@evil.test;", "x@evil.test", "address-in-name"),
        ('"ceo@bank.example" <x@evil.test>', "x@evil.test", "address-in-name"),
        ('"ceo＠bank.example" <x@evil.test>', "x@evil.test", "address-in-name"),
        ("=?utf-8?q?ceo=40bank.example?= <x@evil.test>", "x@evil.test", "address-in-name"),
        ("=?utf-8?b?Y2VvQGJhbmsuZXhhbXBsZQ==?=\0=?utf-8?q?=0A?=@evil.test", None, "encoded-address"),
        ("=?utf-8?Q?ceo=40bank.example=00?=@evil.test", None, "encoded-address"),
        ("<ceo@bank.example> <x@evil.test>", "x@evil.test", "several-addresses"),
        ("ceo@bank.example x@evil.test", "x@evil.test", "several-addresses"),
        ("ceo@bank.example(hidden)@evil.test", "ceo@bank.example@evil.test", "invalid-address"),
        ('"ceo@bank.example"@evil.test', '"ceo@bank.example"@evil.test', "invalid-address"),
        ("Boss\u00a0\u00a0" + "\u00a0" * 40 + "x <x@evil.test>", "x@evil.test", "padding"),
        ("Bo\u202ess <x@evil.test>", "x@evil.test", "bidi"),
        ("Bo\u200bss <x@evil.test>", "x@evil.test", "zero-width"),
        ("Boss\0 <x@evil.test>", "x@evil.test", "control"),
        ("Boss <x@ev\u202eil.test>", "x@evil.test", "invalid-address"),
        ("Boss <>", "", "no-address"),
        ("Mail System <MAILER-DAEMON>", "MAILER-DAEMON", "no-domain"),
    ],
)
def test_spoofed_senders_are_shown_as_replied_to(value: str, spec: str | None, warning: str) -> None:
    address = one(value)
    assert warning in address.warnings
    if spec is None:
        assert address.addr_spec.endswith("@evil.test")
        assert "ceo@" not in address.addr_spec
    else:
        assert address.addr_spec == spec


@pytest.mark.parametrize(
    ("value", "name", "spec"),
    [
        ("ann@example.org", "", "ann@example.org"),
        ("Ann <ann@example.org>", "Ann", "ann@example.org"),
        ('"Ann \\"A\\" Lee" <ann@example.org>', 'Ann "A" Lee', "ann@example.org"),
        ("'Ann' <ann@example.org>", "Ann", "ann@example.org"),
        ("ann@example.org (Ann (the one) Lee)", "Ann (the one) Lee", "ann@example.org"),
        ("=?utf-8?Q?Lee, =C3=84nn?= <ann@example.org>", "Lee, Änn", "ann@example.org"),
        ('"=?utf-8?B?w4RubiBMZWU=?=" <ann@example.org>', "Änn Lee", "ann@example.org"),
        ("Änn Lee <änn@example.org>", "Änn Lee", "änn@example.org"),
        ("<@relay.example,@b.example:ann@example.org>", "", "ann@example.org"),
        ("ann @ example . org", "", "ann@example.org"),
        ("<ann@example.org", "", "ann@example.org"),
        ("ann@[IPv6:2001:db8::1]", "", "ann@[IPv6:2001:db8::1]"),
        ('"ann@example.org" <ann@example.org>', "ann@example.org", "ann@example.org"),
        ('"ann lee"@example.org', "", '"ann lee"@example.org'),
    ],
)
def test_honest_senders_raise_no_alarm(value: str, name: str, spec: str) -> None:
    assert one(value) == Address(name, spec)


@pytest.mark.parametrize(
    "value", ["", " ", ",", ";;", '"', "(", "()", "<", ">", "undisclosed-recipients:;", "\0", "<>"]
)
def test_nothing_is_no_address(value: str) -> None:
    assert parse_addresses(value) == ()


def test_lists_and_groups() -> None:
    value = 'A <a@x.example>, "B, b" <b@x.example>; Team: c@x.example, =?utf-8?q?D=C3=A9?= <d@x.example>;, e@x.example'
    assert [(found.name, found.addr_spec[0]) for found in parse_addresses(value)] == [
        ("A", "a"),
        ("B, b", "b"),
        ("", "c"),
        ("Dé", "d"),
        ("", "e"),
    ]


def test_count_is_capped() -> None:
    assert len(parse_addresses("a@b.example, " * 5_000)) == MAX_ADDRESSES
    assert len(parse_addresses("ä@b.example, " * 5_000)) == MAX_ADDRESSES


@pytest.mark.parametrize("name", ["Ann", "Lee, Ann", 'The "A"', "a@b", "Änn", "(x)", "\\", "x <y>"])
def test_formatting_survives_parsing(name: str) -> None:
    parsed = one(format_address(Address(name, "ann@example.org")))
    assert (parsed.name, parsed.addr_spec) == (name, "ann@example.org")


@given(st.text(alphabet='ab@.<>"(),;:\\ =?q\0\u202eé\n', max_size=60))
def test_any_text_gives_clean_values(value: str) -> None:
    for address in parse_addresses(value):
        shown = address.name + address.addr_spec
        assert not {"\0", "\n", "\r", "\u202e"} & {*shown}
        assert address.name or address.addr_spec
