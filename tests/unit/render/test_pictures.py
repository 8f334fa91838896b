"""Pictures of other servers as places: what is stored loads nothing, what is shown comes from the proxy alone."""

import os
import re
from pathlib import Path

import pytest

from tests.unit.render import vectors
from tests.unit.render.oracle import objections
from webmail.render.html import sanitize
from webmail.render.pictures import MOST_PICTURES, Places, key_of, url_of, with_pictures, without_pictures
from webmail.render.values import CleanHtml, Policy

SRC = re.compile(r'src="([^"]*)"')


def stored(html: str) -> tuple[CleanHtml, list[str]]:
    places = Places()
    return sanitize(html, policy=Policy(cid_url=lambda cid: f"c/{cid}", image_url=places.place)), places.urls


def proxied(key: str) -> str:
    return f"/i/{key}"


def test_a_picture_becomes_a_place_and_the_place_an_address() -> None:
    clean, urls = stored('<p><img src="https://a.example/x.png?u=1&amp;v=2" alt="A" width="3"></p>')
    assert urls == ["https://a.example/x.png?u=1&v=2"]
    key = key_of(urls[0])
    assert SRC.findall(clean.html) == [f"i/{key}"]
    assert SRC.findall(with_pictures(clean.html, proxied)) == [f"/i/{key}"]
    assert url_of(key, urls) == urls[0]
    assert url_of(key_of("https://a.example/"), urls) == ""
    shown = without_pictures(clean.html)
    assert SRC.findall(shown) == []
    assert 'alt="A"' in shown


def test_pictures_of_the_message_itself_stay() -> None:
    clean, urls = stored('<img src="cid:2"><img src="data:image/png;base64,AAAA"><img src="https://a.example/">')
    own = ["c/2", "data:image/png;base64,AAAA"]
    assert SRC.findall(without_pictures(clean.html)) == own
    assert SRC.findall(with_pictures(clean.html, proxied)) == [*own, f"/i/{key_of(urls[0])}"]


@pytest.mark.parametrize(
    "forged", ["i/AAAAAAAAAAAAAAAAAAAAAA", "/i/AAAAAAAAAAAAAAAAAAAAAA", "//a.test/i/AAAAAAAAAAAAAAAAAAAAAA"]
)
def test_mail_cannot_write_a_place_itself(forged: str) -> None:
    clean, urls = stored(f'<img src="{forged}">')
    assert (SRC.findall(clean.html), urls) == ([], [])


def test_only_pictures_are_counted_and_kept() -> None:
    """Not what elements that are taken out would have loaded."""
    clean, urls = stored(
        '<img src="https://a.example/1"><iframe src="https://a.example/2"></iframe><video src="https://a.example/3">'
        '</video><embed src="https://a.example/4"><input type=image src="https://a.example/5">'
    )
    assert (clean.remote_images, urls) == (1, ["https://a.example/1"])


def test_the_same_picture_is_one_and_very_many_are_not_shown() -> None:
    html = "".join(f'<img src="https://a.example/{number}">' for number in range(MOST_PICTURES + 9))
    clean, urls = stored(html * 2)
    assert len(urls) == MOST_PICTURES
    assert clean.remote_images == 2 * (MOST_PICTURES + 9)
    assert len(SRC.findall(clean.html)) == 2 * MOST_PICTURES


def test_s13_no_vector_leaves_a_foreign_address_in_what_is_shown() -> None:
    """Held back there is no address at all; shown, the proxy's and the message's own."""
    html = "\n".join(vectors.filled(vector, script="alert(1)", origin="https://evil.test") for vector in vectors.ALL)
    for start in range(0, len(html), 20_000):
        clean, _urls = stored(html[start : start + 20_000])
        assert all(src.startswith(("data:", "c/")) for src in SRC.findall(without_pictures(clean.html)))
        assert all(src.startswith(("data:", "c/", "/i/")) for src in SRC.findall(with_pictures(clean.html, proxied)))


@pytest.mark.parametrize("vector", vectors.ALL)
def test_what_is_shown_is_as_clean_as_what_was_stored(vector: str) -> None:
    clean, _urls = stored(vectors.filled(vector))
    for html in (without_pictures(clean.html), with_pictures(clean.html, lambda key: "https://own.test/i/token")):
        assert objections(CleanHtml(html=html, stylesheet=clean.stylesheet)) == []


def test_s13_public_leaks_shown_come_from_the_proxy_alone() -> None:
    root = os.environ.get("MAILROOM_CORPUS")
    if not root:
        pytest.skip("MAILROOM_CORPUS does not name a folder of public test data")
    clean, urls = stored((Path(root) / "html" / "httpleaks.html").read_text(encoding="utf-8"))
    assert urls
    assert set(SRC.findall(with_pictures(clean.html, proxied))) == {proxied(key_of(url)) for url in urls}
    assert SRC.findall(without_pictures(clean.html)) == []


def test_s08_cleaning_once_more_changes_nothing_else() -> None:
    html = "".join(vectors.filled(vector, script="alert(1)", origin="https://evil.test") for vector in vectors.ALL[::7])
    clean, _urls = stored(html[:100_000])
    again = with_pictures(clean.html, lambda key: f"i/{key}")
    assert tags(again) == tags(clean.html)


def tags(html: str) -> list[tuple[str, list[str]]]:
    """The elements with their attributes in one order: the parser writes them in any."""
    found = re.findall(r"<(/?[a-z0-9]+)((?: [\w-]+(?:=\"[^\"]*\")?)*)>", html)
    return [(name, sorted(re.findall(r' [\w-]+(?:="[^"]*")?', attributes))) for name, attributes in found]


@pytest.mark.parametrize(
    ("html", "count"),
    [
        ('<td background="https://a.example/g.png">', 1),
        ("<td style=\"background-image: url( 'https://a.example/g.png' )\">", 1),
        ("<style>.x{background:url(//a.example/g.png)} .y{color:red}</style><p class=x>", 1),
        ('<td background="https://a.example/g.png" style="background:url(https://a.example/g.png)">', 1),
        ('<!--[if mso]><v:fill src="https://a.example/x" style="background:url(https://a.example/y)"/><![endif]-->', 0),
        ('<td background="cid:x" style="background:url(data:image/png;base64,AA)">', 0),
        ('<img src="https://a.example/g.png" style="background-color:#fff">', 0),
    ],
)
def test_background_pictures_are_counted(html: str, count: int) -> None:
    clean, _urls = stored(html)
    assert clean.remote_backgrounds == count
    assert "a.example/g" not in clean.html + clean.stylesheet
