"""S03, S08, S09, S10, S17 and S48: what a cleaned body never holds, and that nothing touches it afterwards."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.unit.render import vectors
from tests.unit.render.oracle import objections, tree
from webmail.models import MessageBody
from webmail.queries.reading import frame_token
from webmail.render.compose import clean_for_editor, quote_html
from webmail.render.headers import frame_headers
from webmail.render.html import sanitize
from webmail.render.values import CleanHtml, Policy

from .ground import World

POLICY = Policy(cid_url=lambda cid: None)
GONE = (
    *("svg", "math", "template", "noscript", "xmp", "iframe", "object", "embed", "form", "input", "button", "select"),
    *("textarea", "dialog", "base", "meta", "link", "script", "style", "title", "frameset", "frame", "video", "audio"),
    *("source", "track", "portal", "marquee", "applet", "plaintext", "map", "area", "slot", "canvas", "foreignObject"),
)


def clean(html: str) -> CleanHtml:
    return sanitize(html, policy=POLICY)


@pytest.mark.parametrize("tag", GONE)
def test_s03_these_elements_never_come_out(tag: str) -> None:
    odd = "".join(letter.upper() if number % 2 else letter for number, letter in enumerate(tag))
    for name in (tag, tag.upper(), odd, f"{tag}/", f"{tag}\n"):
        for html in (
            f"<{name} id=x><p>in</p></{tag}>after",
            f"<div><table><tr><{name}>x",
            f"<svg><{name}><a>y</a></svg><math><{name}><mi>z</math>",
            f"<{tag}><{name}><{tag}>deep",
            f"<p <{name}>",
        ):
            found = clean(html)
            assert not re.search(rf"<\s*{tag}\b", found.html, re.IGNORECASE), html
            assert objections(found) == []


@pytest.mark.parametrize("root", ["svg", "math"])
def test_s03_children_of_foreign_content_go_with_it(root: str) -> None:
    html = clean(f"<{root}><desc><a href='https://e.test'>secret</a></desc><mtext>secret</mtext></{root}>seen").html
    assert "secret" not in html
    assert "seen" in html


def test_s08_the_frame_holds_the_sanitizers_bytes(alice: World) -> None:
    for vector in (*vectors.ALL[::40], "<p>a</p><!-- x --><table><b>c"):
        body = clean(vectors.filled(vector)).html
        placement = factories.message(alice.inbox, html="x")
        MessageBody.objects.filter(message=placement.message).update(clean_html=body)
        for name in ("frame", "print"):
            address = reverse(f"mail:{name}", args=[frame_token(alice.user, placement.message_id)])
            page = Client().get(address).content.decode()
            assert f'class="m-body"{" dir=" if name == "print" else ""}' in page
            shown = page.partition('id="paper"')[2].partition(">")[2].removesuffix("</body></html>")
            assert shown in (f"{body}</div>", f"{body}</div></div>")


@pytest.mark.parametrize("vector", vectors.ALL)
def test_s08_cleaning_twice_changes_nothing(vector: str) -> None:
    once = clean(vectors.filled(vector)).html
    assert tree(clean(once).html) == tree(once)


@pytest.mark.parametrize(
    "css",
    [
        *("position:fixed", "position:sticky;top:0", "posit\\69on:/**/fixed !important", "POSITION : ABSOLUTE"),
        *("margin:-999px", "margin-top:-1px", "margin-left:calc(0px - 99px)", "z-index:9", "transform:translate(9px)"),
        *("translate:9px", "rotate:1deg", "inset:0", "top:0;left:0", "clip-path:inset(0)", "filter:blur(1px)"),
        *("text-indent:-9999px", "height:100vh", "width:100vmax", "cursor:none", "pointer-events:none", "zoom:9"),
        *("animation:x 1s", "transition:all 1s", "mask:url(x)", "content:'x'", "all:unset", "contain:none", "--x:1"),
    ],
)
def test_s09_nothing_leaves_its_place(css: str) -> None:
    for html in (
        f'<p style="{css}">x</p>',
        f"<style>p{{{css}}}</style><p>x</p>",
        f"<style>@media print{{p{{{css}}}}}</style>",
    ):
        found = clean(html)
        assert "style=" not in found.html
        assert "p{" not in found.stylesheet


@pytest.mark.parametrize("selector", [":root", "html", "body", "html > body", "*:root p", "body:hover", "::backdrop"])
def test_s09_selectors_of_the_page_mean_the_paper(selector: str) -> None:
    sheet = clean(f"<style>{selector}{{color:red}}</style>").stylesheet
    assert not re.search(r"(?<![\w.-])(?:html|body|:root|::)", sheet.replace(":where(.m-body)", ""))


@pytest.mark.parametrize(
    "attribute",
    [
        *("hx-get=/x", "data-hx-post=/x", "hx-on:click=x()", "hx-trigger=load", "_='on click'", "name=getElementById"),
        *("onclick=x()", "x-data=x", "v-on:click=x", "@click=x", "is=x-y", "slot=x", "contenteditable", "autofocus"),
        *("tabindex=1", "accesskey=c", "popover", "popovertarget=x", "form=x", "data-do=delete", "data-compose"),
        *("aria-live=assertive", "role=dialog", "itemref=x", "part=x", "nonce=x", "usemap=#x", "ping=https://e.test"),
    ],
)
def test_s10_attributes_of_scripts_never_come_out(attribute: str) -> None:
    found = clean(f"<div {attribute}><a href='https://a.test' {attribute}>x</a></div>")
    name = re.split(r"[=\s]", attribute)[0].lower()
    assert f" {name}" not in found.html.lower()
    assert objections(found) == []


def test_s10_ids_and_classes_are_the_mails_own() -> None:
    html = clean('<p id="reading" class="htmx-indicator m-quote hx-x mine">x</p>').html
    assert 'id="m-reading"' in html
    assert 'class="mine"' in html


def test_s10_mail_never_stands_in_the_applications_page(alice: World) -> None:
    placement = factories.message(alice.inbox, html="<p>word-of-the-mail</p>")
    place = [alice.account.pk, alice.inbox.pk, placement.thread_id]
    assert "word-of-the-mail" not in alice.client.get(reverse("mail:thread", args=place)).content.decode()
    asked = f"{reverse('mail:compose')}?reply={placement.message_id}&mode=reply"
    answer = alice.client.get(asked).content.decode()
    assert "<p>word-of-the-mail" not in answer  # the editor gets it as the text of a field


@pytest.mark.parametrize(
    "hidden",
    [
        "<style>.x{display:none} blockquote .x{display:block}</style><p class=x>Pay to another account</p>",
        "<style>@media print{.x{display:block}}.x{visibility:hidden}</style><p class=x>Pay to another account</p>",
        '<p style="display:none">Pay to another account</p>',
        '<p style="opacity:0;overflow:hidden;max-height:0">Pay to another account</p>',
        '<p style="font-size:14px;float:left;columns:2">Pay to another account</p>',
        "<details><summary>x</summary>Pay to another account</details>",
    ],
)
def test_s17_who_forwards_sees_what_the_next_reader_will(hidden: str) -> None:
    """Nothing in a quote can hide or show itself by where it stands: styles and classes are gone, words are not."""
    for quoted in (clean_for_editor(hidden), quote_html(clean(hidden), "Ann wrote:")):
        assert "Pay to another account" in quoted
        inner = quoted.partition("<blockquote")[2].partition(">")[2] or quoted
        assert not re.search(r"<style|class=|<details|display|visibility|opacity|overflow|float|columns", inner)


def test_s48_a_fake_of_our_pages_has_no_fields_and_opens_nothing_of_ours() -> None:
    fake = "<form action='https://e.test'><input name=password type=password><button>Sign in</button></form>"
    found = clean(fake + "<a href='https://e.test' target=_top rel=opener>Sign in</a>")
    assert objections(found) == []
    assert 'target="_blank"' in found.html
    assert 'rel="noopener noreferrer"' in found.html
    policy = frame_headers(
        nonce="A" * 22, app_origin="https://app.test", content_origin="https://content.test", remote=False
    )["Content-Security-Policy"]
    assert "form-action 'none'" in policy
    assert not {"allow-forms", "allow-same-origin", "allow-top-navigation", "allow-modals", "allow-downloads"} & set(
        policy.replace(";", " ").split()
    )
