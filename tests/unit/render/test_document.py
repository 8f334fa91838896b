"""The frame document: a constant around what the sanitizer gave."""

import re

import pytest

from webmail.render.document import Theme, frame_document
from webmail.render.html import sanitize
from webmail.render.values import CleanHtml, Policy

NONCE = "AbCdEfGhIjKlMnOpQrStUv"


def document(
    clean: CleanHtml, *, theme: Theme = "light", paper: bool = False, lang: str = "", label: str = "Quote"
) -> str:
    return frame_document(
        clean,
        nonce=NONCE,
        app_origin="https://app.example",
        theme=theme,
        paper=paper,
        lang=lang,
        direction="ltr",
        quote_label=label,
    )


def test_the_body_is_the_sanitizers_byte_for_byte() -> None:
    clean = sanitize(
        '<style>p{color:red}</style><p title="&quot;">a &amp; b</p>', policy=Policy(cid_url=lambda cid: None)
    )
    html = document(clean)
    assert html.endswith(f'<div id="paper" class="m-body">{clean.html}</div></body></html>')
    assert f"<style>{clean.stylesheet}</style>" in html


def test_the_only_script_carries_the_nonce_and_names_the_application() -> None:
    html = document(CleanHtml(html="x"))
    assert re.findall(r"<script[^>]*>", html) == [f'<script nonce="{NONCE}">']
    assert html.count('"https://app.example"') == 1
    assert "APP" not in html


def test_a_label_cannot_leave_its_string() -> None:
    html = document(CleanHtml(html="x"), label='"}</style><img>\\')
    assert "<img>" not in html
    assert html.count("</style>") == 2


@pytest.mark.parametrize("lang", ['"><img>', "x" * 40, "en us"])
def test_an_unfit_language_is_left_out(lang: str) -> None:
    assert '<html dir="ltr">' in document(CleanHtml(html="x"), lang=lang)


@pytest.mark.parametrize(
    ("theme", "paper", "scheme", "darkened"),
    [
        ("light", False, "light", False),
        ("dark", False, "dark", True),
        ("auto", False, "light dark", True),
        ("dark", True, "light", False),
        ("auto", True, "light", False),
    ],
)
def test_paper_stays_light(theme: Theme, paper: bool, scheme: str, darkened: bool) -> None:
    html = document(CleanHtml(html="x"), theme=theme, paper=paper)
    assert f"color-scheme:{scheme};" in html
    assert ("color:inherit!important" in html) is darkened


def test_an_unfit_origin_is_refused() -> None:
    with pytest.raises(ValueError, match="origin"):
        frame_document(CleanHtml(html="x"), nonce=NONCE, app_origin='"*"', theme="light", paper=False)
