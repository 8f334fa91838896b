"""Headers of message documents and of attachments."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.render.headers import download_headers, filename_parameters, frame_headers, safe_filename

NONCE = "AbCdEfGhIjKlMnOpQrStUv"


def policy(*, remote: bool, content: str = "https://mailusercontent.example") -> str:
    headers = frame_headers(nonce=NONCE, app_origin="https://app.example", content_origin=content, remote=remote)
    return headers["Content-Security-Policy"]


def test_the_policy_is_exact() -> None:
    assert policy(remote=True) == (
        "default-src 'none'; "
        "img-src https://mailusercontent.example/i/ https://mailusercontent.example/c/ data:; "
        "style-src 'unsafe-inline'; script-src 'nonce-AbCdEfGhIjKlMnOpQrStUv'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors https://app.example; "
        "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox"
    )


def test_without_remote_content_the_proxy_is_not_a_source() -> None:
    assert "/i/" not in policy(remote=False)
    assert "/c/" in policy(remote=False)


def test_a_port_on_this_machine_is_an_origin() -> None:
    assert "img-src http://127.0.0.1:8000/c/" in policy(remote=False, content="http://127.0.0.1:8000")


@pytest.mark.parametrize(
    "origin", ["https://a.test; script-src *", "https://a.test/x", "*", "", "https://a.test\n", "null"]
)
def test_an_unfit_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        policy(remote=True, content=origin)


@pytest.mark.parametrize("nonce", ["", "short", "a" * 15 + "'", "a" * 200])
def test_an_unfit_nonce_is_refused(nonce: str) -> None:
    with pytest.raises(ValueError, match="nonce"):
        frame_headers(nonce=nonce, app_origin="https://a.test", content_origin="https://b.test", remote=False)


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "image/svg+xml",
        "text/xml",
        "application/xhtml+xml",
        "multipart/related",
        "",
        "x",
        "text/html; charset=utf-7",
        "application/pdf",
    ],
)
def test_what_could_run_is_downloaded(content_type: str, inline: bool) -> None:
    headers = download_headers("a.html", content_type, inline=inline)
    assert headers["Content-Disposition"].startswith("attachment; ")
    assert headers["Content-Type"] in ("application/octet-stream", "application/pdf")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    ("content_type", "sent"),
    [
        ("image/PNG; name=x", "image/png"),
        ("text/plain; charset=utf-7", "text/plain; charset=utf-8"),
        ("image/webp", "image/webp"),
    ],
)
def test_pictures_and_text_may_be_shown(content_type: str, sent: str) -> None:
    headers = download_headers("a", content_type, inline=True)
    assert headers["Content-Type"] == sent
    assert headers["Content-Disposition"].startswith("inline; ")


def test_pictures_of_a_message_may_be_embedded() -> None:
    assert download_headers("a", "image/png", inline=True)["Cross-Origin-Resource-Policy"] == "same-site"
    embedded = download_headers("a", "image/png", inline=True, embedded=True)
    assert embedded["Cross-Origin-Resource-Policy"] == "cross-origin"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../x", "x"),
        ("C:\\dir\\report.pdf", "report.pdf"),
        ("a\r\nSet-Cookie:x", "aSet-Cookie_x"),
        ("\0", "attachment"),
        ('"', "_"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("CON", "_CON"),
        ("lpt1.txt", "_lpt1.txt"),
        ("...", "attachment"),
        (".htaccess", "htaccess"),
        ("Bericht für März.pdf", "Bericht für März.pdf"),
        ("😀.png", "😀.png"),
        ("", "attachment"),
    ],
)
def test_file_names(name: str, safe: str) -> None:
    assert safe_filename(name) == safe


def test_a_long_name_keeps_its_extension() -> None:
    name = safe_filename("x" * 9_000 + ".pdf")
    assert (len(name), name[-5:]) == (150, "x.pdf")


def test_parameters_of_a_name_beyond_ascii() -> None:
    assert filename_parameters("Ü 1.txt") == "filename=\"U 1.txt\"; filename*=UTF-8''%C3%9C%201.txt"


@given(st.text(max_size=300))
def test_any_name_makes_one_clean_header(name: str) -> None:
    value = filename_parameters(name)
    assert re.fullmatch(r"filename=\"[\x20-\x7e]+\"(; filename\*=UTF-8''[\w.%~-]+)?", value)
    assert value.count('"') == 2
    safe = safe_filename(name)
    assert 0 < len(safe) <= 150
    assert not set(safe) & set('/\\\0\r\n":')
    assert safe_filename(safe) == safe
    if "filename*" in value:
        assert unquote(value.rpartition("''")[2]) == safe
