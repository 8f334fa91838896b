"""Texts to begin messages with: kept, filled in for whom they are written to, removed and taken back."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from tests.app.conftest import Somebody
from webmail.models import TextTemplate

NEW = reverse("mail:template_new")


def kept(who: Somebody, html: str = "<p>Dear {first name}</p>", **more: Any) -> TextTemplate:
    return TextTemplate.objects.create(user=who.user, **({"name": "Proofs", "html": html} | more))


def filled(who: Somebody, template: TextTemplate, to: str) -> dict[str, str]:
    answer = who.client.get(reverse("mail:template_filled", args=[template.pk]), {"to": to})
    found: dict[str, str] = answer.json()
    return found


def test_a_template_is_kept_clean_and_offered_in_every_message(alice: Somebody) -> None:
    html = '<p onclick="x">Dear <b>{first name}</b></p><script>x</script>'
    values = {"name": "Proofs", "subject": "Proofs for {name}", "html": html, "text": "old"}
    assert alice.client.post(NEW, values).status_code == 302
    template = TextTemplate.objects.get()
    assert template.html == "<p>Dear <b>{first name}</b></p>"
    assert (
        reverse("mail:template_filled", args=[template.pk])
        in alice.client.get(reverse("mail:compose")).content.decode()
    )


def test_without_scripting_the_text_counts_and_a_rich_one_stays_rich(alice: Somebody) -> None:
    alice.client.post(NEW, {"name": "Plain", "text": "One\nTwo"})
    template = TextTemplate.objects.get()
    assert template.html == "<div>One</div><div>Two</div>"
    rich = kept(alice, "<p>Dear <b>all</b></p>")
    address = reverse("mail:template", args=[rich.pk])
    alice.client.post(address, {"name": "Proofs, final", "text": "Dear all", "html": ""})
    rich.refresh_from_db()
    assert (rich.name, rich.html) == ("Proofs, final", "<p>Dear <b>all</b></p>")


@pytest.mark.parametrize(
    ("to", "first", "name"),
    [
        ("Amara Okafor <a@x.example>, Bo <b@x.example>", "Amara", "Amara Okafor"),
        ('"Okafor, Amara" <a@x.example>', "Amara", "Okafor, Amara"),
        ("a@x.example", "{first name}", "{name}"),
        ("", "{first name}", "{name}"),
        ('"<b>x</b> y" <a@x.example>', "&lt;b&gt;x&lt;/b&gt;", "&lt;b&gt;x&lt;/b&gt; y"),
    ],
)
def test_names_stand_where_they_are_known(alice: Somebody, to: str, first: str, name: str) -> None:
    template = kept(alice, "<p>{first name} | {Name} | {my name} | { date } | {else}</p>", subject="For {name}")
    day = date_format(timezone.localdate(), "DATE_FORMAT")
    found = filled(alice, template, to)
    assert found["html"] == f"<p>{first} | {name if name != '{name}' else '{Name}'} | Alice | {day} | {{else}}</p>"
    assert "&lt;" not in found["subject"]


def test_a_template_goes_and_comes_back(alice: Somebody) -> None:
    template = kept(alice)
    alice.client.post(reverse("mail:template_remove", args=[template.pk]))
    assert (
        "Proofs" not in alice.client.get(reverse("mail:templates")).content.decode().split("<main")[1].split("toast")[0]
    )
    other = kept(alice)
    answer = alice.client.post(reverse("mail:template_restore", args=[template.pk]), follow=True)
    assert "Another template has this name" in answer.content.decode()
    other.delete()
    alice.client.post(reverse("mail:template_restore", args=[template.pk]))
    template.refresh_from_db()
    assert template.removed_at is None


@pytest.mark.parametrize("name", ["", "Proofs", "a\nb"])
def test_a_name_is_one_line_and_its_own(alice: Somebody, name: str) -> None:
    kept(alice)
    assert alice.client.post(NEW, {"name": name, "text": "x"}).status_code == 422
    assert TextTemplate.objects.count() == 1
