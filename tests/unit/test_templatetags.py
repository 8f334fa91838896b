"""What the templates' own tags print."""

from datetime import UTC, datetime, timedelta

import pytest
from django.forms import CharField, Form, PasswordInput
from django.template import TemplateSyntaxError
from django.utils import timezone

from webmail.templatetags import mailroom
from webmail.templatetags.people import hue, initials


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        ("Amara Okafor", "", "AO"),
        ("Noor van Dijk", "", "NV"),
        ("The Slow Harbour", "", "SH"),
        ("Forge", "", "FO"),
        ("佐藤 美咲", "", "美咲"),
        ("ليلى حداد", "", "لح"),
        ('"Mendes, Rafael"', "", "MR"),
        ("", "info.desk@example.org", "ID"),
        ("", "", "?"),
        ("***", "@", "?"),
    ],
)
def test_initials(name: str, address: str, expected: str) -> None:
    assert initials(name, address) == expected


def test_a_hue_belongs_to_an_address_whatever_its_case() -> None:
    assert hue("Amara@Pier4.example") == hue("amara@pier4.example ")
    assert {hue(f"person{n}@example.org") for n in range(500)} == set(range(36))


def test_names_are_escaped_in_an_avatar() -> None:
    assert "<" not in mailroom.avatar("<b <i", "a@example.org").split(">", 1)[1].removesuffix("</span>")


def test_an_icon_of_no_drawn_size_is_refused() -> None:
    with pytest.raises(TemplateSyntaxError):
        mailroom.icon("inbox", 17)


@pytest.mark.parametrize(
    ("octets", "words"),
    [(1, "1 byte"), (999, "999 bytes"), (340_000, "340\u00a0KB"), (2_100_000, "2.1\u00a0MB"), (999_600, "1.0\u00a0MB")],
)
def test_sizes(octets: int, words: str) -> None:
    assert mailroom.size(octets) == words


def test_whole_date_reads_as_the_clock_of_the_list_does() -> None:
    moment = datetime(2026, 11, 24, 21, 5, tzinfo=UTC)
    assert mailroom.whole_time(moment) == "Tuesday, 24 November 2026, 21:05"
    assert mailroom.whole_time(None) == ""
    for style in ("short", "full"):
        assert 'title="Tuesday, 24 November 2026, 21:05"' in mailroom.when(moment, style)


def test_a_long_file_name_keeps_its_beginning_and_its_ending() -> None:
    cut = mailroom.middle("Print specification for both panels, revised.pdf", 28)
    assert cut.startswith("Print spec")
    assert cut.endswith(".pdf")
    assert len(cut) <= 28


def test_when_names_the_nearest_unit() -> None:
    now = timezone.now()
    assert f">{timezone.localtime(now):%H:%M}<" in mailroom.when(now)
    assert f">{timezone.localtime(now - timedelta(days=3)):%a}<" in mailroom.when(now - timedelta(days=3))
    assert ">2001<" in mailroom.when(datetime(2001, 5, 6, 12, tzinfo=UTC))
    assert mailroom.when(None) == ""


def test_a_control_is_tied_to_its_error() -> None:
    class Password(Form):
        password = CharField(widget=PasswordInput)

    form = Password({"password": ""})
    assert not form.is_valid()
    html = mailroom.control(form["password"])
    assert 'class="input"' in html
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_password_error"' in html
