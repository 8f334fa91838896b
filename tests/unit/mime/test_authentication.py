"""Authentication-Results: the forms of RFC 8601 and of large providers, and what a sender may try with them (S46)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.authentication import Verdict, covered_fields, judge, parse_report, parse_signatures

MX = frozenset({"mx.receiver.example"})
PASS = "mx.receiver.example; dmarc=pass (p=reject dis=none) header.from=bank.example"


def verdict(*values: str, author: str = "me@bank.example", ambiguous: bool = False) -> Verdict:
    return judge(values, trusted=MX, author=author, ambiguous=ambiguous)


# --- the syntax ------------------------------------------------------------------------------------------------------


def test_results_with_their_properties() -> None:
    report = parse_report(
        "mx.receiver.example 1; spf=pass smtp.mailfrom=example.net; dkim=pass (good signature) header.d=example.net"
        ' header.i="@mail.example.net"; auth=pass (cram-md5) smtp.auth=sender@example.net'
    )
    assert report.authserv_id == "mx.receiver.example"
    assert [(one.method, one.result, one.domain) for one in report.results] == [
        ("spf", "pass", "example.net"),
        ("dkim", "pass", "example.net"),
        ("auth", "pass", ""),
    ]
    assert report.results[1].remarks == "good signature"
    assert report.results[1].properties["header.i"] == "@mail.example.net"


def test_comments_and_blanks_may_stand_anywhere() -> None:
    report = parse_report(
        "foo.example.net (foobar) 1 (baz);  dkim (Because I like it) / 1 (One yay) = (wait for it) fail "
        "policy (A dot can go here) . (like that) expired (this surprised me) = (as I wasn't expecting it) 1362471462"
    )
    (result,) = report.results
    assert (report.authserv_id, result.method, result.result) == ("foo.example.net", "dkim", "fail")
    assert result.properties == {"policy.expired": "1362471462"}


@pytest.mark.parametrize("value", ["mx.receiver.example; none", "mx.receiver.example 1; none", "mx.receiver.example;"])
def test_no_results(value: str) -> None:
    report = parse_report(value)
    assert (report.authserv_id, report.results) == ("mx.receiver.example", ())


def test_another_version_is_not_understood() -> None:
    assert parse_report("mx.receiver.example 2; dmarc=pass header.from=bank.example").results == ()


def test_a_field_without_a_service() -> None:
    """Microsoft 365 begins with a result; such a field names nobody who could be believed."""
    assert parse_report("spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a.example; dkim=pass").authserv_id == ""


def test_what_is_quoted_or_in_brackets_is_no_result() -> None:
    report = parse_report(
        'mx.receiver.example; spf=fail reason="; dmarc=pass header.from=bank.example" smtp.mailfrom="a; b"@evil.example'
        " (; dkim=pass header.d=bank.example (nested; dmarc=pass)); dkim=none"
    )
    assert [(one.method, one.result) for one in report.results] == [("spf", "fail"), ("dkim", "none")]
    assert report.results[0].domain == "evil.example"
    assert report.results[0].properties["reason"] == "; dmarc=pass header.from=bank.example"


def test_addresses_and_signatures_as_values() -> None:
    report = parse_report(
        "mx.receiver.example; spf=pass smtp.mailfrom=<a+b@x.example>; dkim=pass header.i=@x.example header.b=Ab/c+d=="
    )
    assert report.results[0].domain == "x.example"
    assert report.results[1].properties["header.b"] == "Ab/c+d=="


# --- the verdict -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "author"),
    [
        (PASS, "me@bank.example"),
        (PASS, "me@BANK.example"),
        (PASS, "me@mail.bank.example"),  # the policy of the domain above was applied
        ("mx.receiver.example; dkim=pass header.d=bank.example; dmarc=none", "me@bank.example"),
        ("mx.receiver.example; dkim=pass header.i=@bank.example header.s=k1", "me@news.bank.example"),
        ("MX.receiver.example; dkim=fail header.d=x.example; dkim=pass header.d=bank.example", "me@bank.example"),
        ("mx.receiver.example; dmarc=pass header.from=xn--bcher-kva.example", "me@bücher.example"),
    ],
)
def test_a_sender_whose_domain_vouches(value: str, author: str) -> None:
    assert verdict(value, author=author).standing == "verified"


@pytest.mark.parametrize(
    ("value", "author"),
    [
        (PASS, "me@evil.example"),
        (PASS, "me@evilbank.example"),
        ("mx.receiver.example; dmarc=pass header.from=a.bank.example", "me@bank.example"),
        ("mx.receiver.example; dmarc=pass", "me@bank.example"),  # for whom?
        ("mx.receiver.example; dmarc=pass header.from=example", "me@bank.example"),
        ("mx.receiver.example; dkim=pass header.d=evil.example", "me@bank.example"),
        ("mx.receiver.example; dkim=pass header.d=tenant.bank.example", "me@bank.example"),
        ("mx.receiver.example; dkim=pass", "me@bank.example"),
        ("mx.receiver.example; spf=pass smtp.mailfrom=me@bank.example", "me@bank.example"),
        (PASS, "bank.example"),
        (PASS, ""),
    ],
)
def test_a_sender_whose_domain_does_not(value: str, author: str) -> None:
    assert verdict(value, author=author).standing == "unverified"


def test_a_second_from_is_never_verified() -> None:
    assert verdict(PASS, ambiguous=True).standing == "unverified"


def test_dmarc_that_failed() -> None:
    found = verdict(
        "mx.receiver.example; dkim=pass header.d=bank.example; dmarc=fail (p=reject) header.from=bank.example"
    )
    assert (found.standing, found.lenient) == ("failed", False)


@pytest.mark.parametrize(
    "told",
    ["(p=NONE sp=NONE dis=NONE) header.from=bank.example", "policy.published-domain-policy=none", "policy.dmarc=none"],
)
def test_a_domain_that_asks_for_nothing(told: str) -> None:
    found = verdict(f"mx.receiver.example; dmarc=fail {told}")
    assert (found.standing, found.lenient) == ("failed", True)


def test_a_policy_below_is_not_the_policy() -> None:
    assert not verdict("mx.receiver.example; dmarc=fail (p=reject sp=none)").lenient


def test_a_pass_smuggled_in_beside_a_fail() -> None:
    found = verdict(
        "mx.receiver.example; dmarc=pass header.from=bank.example; dmarc=fail header.from=bank.example",
    )
    assert found.standing == "failed"


# --- whom to believe -------------------------------------------------------------------------------------------------


def test_nobody_is_believed_unasked() -> None:
    assert judge([PASS], trusted=(), author="me@bank.example", ambiguous=False).standing == "unknown"
    assert verdict("other.example; dmarc=pass header.from=bank.example").standing == "unknown"
    assert verdict("mx.receiver.example.evil.example; dmarc=pass header.from=bank.example").standing == "unknown"
    assert verdict().standing == "unknown"


def test_a_forged_field_below_the_real_one() -> None:
    real = "mx.receiver.example; spf=fail smtp.mailfrom=evil.example; dkim=none"
    found = verdict(real, PASS)
    assert found.standing == "unverified"
    assert found.spf[0].result == "fail"


@pytest.mark.parametrize("real", ["mx.receiver.example; none", "mx.receiver.example;", "mx.receiver.example (x); none"])
def test_s46_a_forged_field_below_a_real_one_that_says_none(real: str) -> None:
    assert verdict(real, PASS).standing != "verified"


def test_a_forged_field_below_that_of_another_station() -> None:
    assert verdict("mx.receiver.example; spf=none", "relay.example; dkim=none", PASS).dmarc == ()


def test_stations_after_the_named_one_do_not_hide_it() -> None:
    assert verdict("store.receiver.example; none", "spf=pass smtp.mailfrom=x.example", PASS).standing == "verified"


def test_filters_that_write_a_field_each() -> None:
    found = verdict(
        PASS,
        "mx.receiver.example; dkim=pass header.d=bank.example",
        "mx.receiver.example; spf=pass smtp.helo=b.example",
    )
    assert found.standing == "verified"
    assert (len(found.dkim), len(found.spf)) == (1, 1)


@pytest.mark.parametrize(
    "real", ["arc=none", "iprev=pass policy.iprev=192.0.2.1; auth=none", "x-csa=none; bimi=skipped"]
)
def test_s46_a_forged_field_below_a_real_one_about_something_else(real: str) -> None:
    """Its filter may write nothing but this; whether the next field is its own cannot be told from what it says."""
    found = verdict(f"mx.receiver.example; {real}", PASS, "mx.receiver.example; dkim=pass header.d=bank.example")
    assert (found.standing, found.dmarc, found.dkim) == ("unknown", (), ())


def test_s46_forged_results_are_no_evidence() -> None:
    found = verdict("mx.receiver.example; spf=none", PASS, "mx.receiver.example; dkim=pass header.d=bank.example")
    assert (found.standing, found.dmarc, found.dkim) == ("unverified", (), ())
    found = verdict(
        "mx.receiver.example; dkim=pass header.d=bank.example", "mx.receiver.example; dkim=pass header.d=x.example"
    )
    assert [one.domain for one in found.dkim] == ["bank.example"]


def test_a_provider_that_writes_a_field_for_each_check() -> None:
    """Fastmail, which takes out forged ones."""
    service = "phl-mx-05.messagingengine.com"
    values = [f"{service}; x-csa=none", f"{service}; bimi=skipped (DMARC did not pass)", f"{service}; arc=none"]
    real = f"{service}; dkim=pass header.d=bank.example; dmarc=pass header.from=bank.example; spf=pass"
    found = judge([*values, real], trusted={".messagingengine.com"}, author="me@bank.example", ambiguous=False)
    assert found.standing == "verified"


def test_services_that_share_the_work() -> None:
    values = [
        "bimi.icloud.com; bimi=none",
        "dmarc.icloud.com; dmarc=pass header.from=bank.example",
        "dkim-verifier.icloud.com; dkim=pass (2048-bit key) header.d=bank.example header.i=@bank.example",
        "spf.icloud.com; spf=pass smtp.mailfrom=me@bank.example",
        "dmarc.icloud.com; dmarc=fail header.from=bank.example",
    ]
    found = judge(values, trusted={".icloud.com"}, author="me@bank.example", ambiguous=False)
    assert found.standing == "verified"
    assert found.services == tuple(dict.fromkeys(value.partition(";")[0] for value in values))


def test_a_family_of_hosts_speaks_once() -> None:
    values = ["mx1.messagingengine.com; dmarc=none", "mx9.messagingengine.com; dmarc=pass header.from=bank.example"]
    found = judge(values, trusted={".messagingengine.com"}, author="me@bank.example", ambiguous=False)
    assert found.standing == "unverified"


# --- what is signed --------------------------------------------------------------------------------------------------

SIGNATURE = (
    "v=1; a=rsa-sha256; c=relaxed/relaxed; d=News.example; s=k1; h=From:To : Subject:List-Unsubscribe: "
    " List-Unsubscribe-Post; bh=abc=; b=AbCdEfGhIjKlMnOpQr=="
)
FORGED = "v=1; a=rsa-sha256; d=news.example; s=k1; h=from:reply-to; bh=x; b=ZZZZZZZZZZZZ"


def covered(result: str, *signatures: str) -> frozenset[str]:
    return covered_fields(verdict(f"mx.receiver.example; {result}"), parse_signatures(signatures))


def test_fields_that_a_passing_signature_covers() -> None:
    wanted = {"list-unsubscribe", "list-unsubscribe-post"}
    assert wanted < covered("dkim=pass header.d=news.example header.s=k1", SIGNATURE)
    assert wanted < covered("dkim=pass header.i=@mail.news.example", SIGNATURE)
    assert wanted < covered("dkim=pass header.d=news.example header.b=AbCdEfGh", FORGED, SIGNATURE)


@pytest.mark.parametrize(
    "result",
    [
        "dkim=fail header.d=news.example",
        "dkim=pass header.d=other.example",
        "dkim=pass header.d=news.example header.s=k2",
        "dkim=pass header.d=news.example header.b=AbCdXX",
        "dkim=pass",
        "spf=pass smtp.mailfrom=news.example",
    ],
)
def test_fields_that_none_covers(result: str) -> None:
    assert covered(result, SIGNATURE) == frozenset()


def test_a_result_that_does_not_say_which_signature_passed() -> None:
    assert covered("dkim=pass header.d=news.example", SIGNATURE, FORGED) == {"from"}


def test_signatures_that_are_none() -> None:
    doubled = "d=a.example; h=from; h=list-unsubscribe; b=x"
    assert parse_signatures(["", "nonsense", "d=a.example; b=x", "h=from; b=x", doubled]) == ()


# --- totality --------------------------------------------------------------------------------------------------------

_BITS = st.sampled_from(
    ["mx.receiver.example", "1", ";", " dmarc=", "pass", "(", ")", '"', "\\", "header.from=", "bank.example", " ", "\0"]
)


@given(st.lists(st.one_of(st.text(), st.lists(_BITS).map("".join)), max_size=6), st.text())
def test_any_text_has_a_verdict(values: list[str], author: str) -> None:
    found = judge(values, trusted=MX, author=author, ambiguous=False)
    assert found.standing in ("verified", "failed", "unverified", "unknown")
    for value in values:
        parse_report(value)
    covered_fields(found, parse_signatures(values))


@pytest.mark.parametrize("bit", ['"', "(", ")", '\\"', "a=b ", ";", 'a.b="', "a ", "=", "a.", '("'])
def test_long_values_come_to_an_end(bit: str) -> None:
    """S51: 100 kB of the worst, in every field that is looked at."""
    values = ["mx.receiver.example; spf=pass " + bit * 100_000] * 20
    assert verdict(*values).standing in ("unverified", "unknown")
    parse_signatures(values)
