"""S07: what is quoted into the editor, or comes back to it from a draft, was cleaned again with the stricter lists."""

import json
from html import unescape

import pytest
from django.urls import reverse

from tests import factories
from tests.unit.render import vectors
from tests.unit.render.oracle import objections
from webmail.render.values import CleanHtml

from .ground import World

TOGETHER = 12  # bodies of one message: a page for each would take minutes


def batches() -> list[str]:
    hostile = [vectors.filled(vector).replace("\0", "") for vector in vectors.ALL]
    return ["<hr>".join(hostile[start : start + TOGETHER]) for start in range(0, len(hostile), TOGETHER)]


def in_the_editor(page: str) -> str:
    """What the composer's field for HTML holds, as the browser reads it."""
    return unescape(page.partition('<textarea name="html" hidden disabled>')[2].partition("</textarea>")[0])


@pytest.mark.parametrize("mode", ["reply", "all", "forward"])
def test_s07_a_hostile_message_that_nobody_sanitised_is_quoted_clean(alice: World, mode: str) -> None:
    for html in batches():
        placement = factories.message(alice.inbox, html=f"<p>first words</p>{html}")
        page = alice.client.get(f"{reverse('mail:compose')}?reply={placement.message_id}&mode={mode}").content.decode()
        quoted = in_the_editor(page)
        assert "first words" in quoted
        assert not [one for one in objections(CleanHtml(html=quoted)) if not one.startswith("src cid:")]
        assert "<style" not in quoted
        assert " class=" not in quoted


def test_s07_what_a_hostile_page_saves_as_a_draft_opens_clean(alice: World) -> None:
    compose, typed = reverse("mail:compose"), {"identity": alice.identity.pk, "to": "a@b.example", "format": "html"}
    for html in batches():
        saved = alice.client.post(
            compose, typed | {"html": f"<p>first words</p>{html}"}, headers={"Accept": "application/json"}
        )
        page = alice.client.get(f"{compose}?draft={json.loads(saved.content)['draft']}").content.decode()
        opened = in_the_editor(page)
        assert "first words" in opened
        assert not [one for one in objections(CleanHtml(html=opened)) if not one.startswith("src cid:")]
