"""From a part tree to what is kept for reading: packages opened, files in the text, reports, notes."""

import os
from pathlib import Path

import pytest

from tests.support.packing import attached, binary, message_properties, signed, tnef, words
from webmail.mime.bodystructure import parse_bodystructure
from webmail.mime.parse import parse_message
from webmail.mime.part import Part
from webmail.sync.content import Content, beginning, read_content

HEAD = b"From: a@b.example\r\nMIME-Version: 1.0\r\n"


def content_of(raw: bytes) -> Content:
    return read_content(parse_message(raw).root, lambda part, most=2**23: beginning(raw, part, most))


def mixed(*parts: bytes, kind: bytes = b"mixed") -> bytes:
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return HEAD + b"Content-Type: multipart/" + kind + b"; boundary=b\r\n\r\n" + body + b"--b--\r\n"


def part(kind: bytes, data: bytes) -> bytes:
    return b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: binary\r\n\r\n" + data


def roles(content: Content) -> dict[str, tuple[str, str]]:
    return {row["path"]: (row["role"], row["filename"]) for row in content.parts}


PICTURE = attached(words(0x3707, "dot.png"), words(0x3712, "dot@x"), binary(0x3701, b"PNG"))
PLAN = attached(words(0x3707, "plan.pdf"), binary(0x3701, b"%PDF"))
HTML = message_properties(binary(0x1013, b'<p>Rich words <img src="cid:dot@x"></p>'))
WINMAIL = b"application/ms-tnef; name=winmail.dat"


def test_winmail_is_opened_and_never_shown_as_such() -> None:
    content = content_of(mixed(part(WINMAIL, tnef(HTML, *PLAN, *PICTURE))))
    assert roles(content) == {
        "1": ("package", "winmail.dat"),
        "1.T1": ("attachment", "plan.pdf"),
        "1.T2": ("inline", "dot.png"),
    }
    assert content.clean is not None
    assert "Rich words" in content.clean.html
    assert "c/1.T2" in content.clean.html
    assert content.octets == {"1.T1": b"%PDF", "1.T2": b"PNG"}
    assert "notes" not in content.special


def test_the_text_of_the_message_itself_comes_first() -> None:
    content = content_of(mixed(part(b"text/plain", b"My own words"), part(WINMAIL, tnef(HTML, *PLAN))))
    assert (content.text, content.clean) == ("My own words", None)
    assert roles(content)["2.T1"] == ("attachment", "plan.pdf")


def test_a_package_that_does_not_open_stays_what_it_is() -> None:
    content = content_of(mixed(part(b"text/plain", b"words"), part(WINMAIL, b"no package at all")))
    assert roles(content)["2"] == ("attachment", "winmail.dat")
    assert content.octets == {}


def test_a_package_that_is_too_large_is_not_even_asked_for() -> None:
    asked: list[str] = []

    def read(part: Part, most: int = 0, /) -> bytes:
        asked.append(part.path)
        return b"words"

    large = b'(("text" "plain" NIL NIL NIL "7bit" 5 1)("application" "ms-tnef" NIL NIL NIL "base64" 99000000) "mixed")'
    root = parse_bodystructure(large)
    assert root is not None
    assert roles(read_content(root, read))["2"][0] == "attachment"
    assert asked == ["1"]


def test_a_message_signed_as_a_whole_is_read() -> None:
    inner = mixed(part(b"text/plain", b"Signed words"), part(b"text/csv; name=a.csv", b"1,2"))
    kind = b"Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\n"
    content = content_of(HEAD + kind + b"Content-Transfer-Encoding: binary\r\n\r\n" + signed(inner))
    assert content.text == "Signed words"
    assert content.octets == {"1.S1": b"1,2"}
    assert roles(content) == {"1": ("package", "smime.p7m"), "1.S1": ("attachment", "a.csv")}
    assert content.special == {"protection": {"kind": "signed", "how": "smime", "path": ""}}


def test_what_is_encrypted_is_offered_and_not_shown() -> None:
    version = part(b"application/pgp-encrypted", b"Version: 1")
    raw = mixed(version, part(b"application/octet-stream; name=encrypted.asc", b"-----BEGIN PGP"), kind=b"encrypted")
    content = content_of(raw)
    assert content.special == {"protection": {"kind": "encrypted", "how": "openpgp", "path": "2"}, "blank": True}


UU = b"Before\r\nbegin 644 a.txt\r\n#0V%T\r\n`\r\nend\r\nAfter\r\n"


def test_a_file_in_the_text_is_an_attachment_also_where_a_server_told_the_structure() -> None:
    root = parse_bodystructure(b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" %d 5)' % len(UU))
    assert root is not None
    content = read_content(root, lambda part, most=2**23: UU)
    assert roles(content) == {"1": ("text", ""), "1.U1": ("attachment", "a.txt")}
    assert content.octets == {"1.U1": b"Cat"}
    assert content.text.split() == ["Before", "After"]
    assert roles(content_of(HEAD + b"\r\n" + UU)) == {"1": ("text", ""), "1.U1": ("attachment", "a.txt")}


STATUS = b"Reporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; a@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"


@pytest.mark.parametrize("kind", [b"message/rfc822", b"text/rfc822-headers"])
def test_a_report_names_the_message_that_came_back(kind: bytes) -> None:
    returned = part(kind, b"Subject: Hi\r\nMessage-ID: <sent@b.example>\r\n\r\nwords\r\n")
    content = content_of(
        mixed(part(b"text/plain", b"No."), part(b"message/delivery-status", STATUS), returned, kind=b"report")
    )
    assert content.report is not None
    assert content.report.original_id == "sent@b.example"
    assert content.special["report"]["fates"][0]["address"] == "a@b.example"


@pytest.mark.parametrize(
    ("raw", "notes"),
    [
        (b"", ["empty"]),
        (HEAD + b"\r\n\r\n", ["empty"]),
        (HEAD + b"Content-Type: text/html\r\n\r\n<p> </p>", ["empty"]),
        (mixed(part(b"image/png", b"PNG")), ["no-text"]),
        (mixed(part(b"text/plain", b"words")), []),
        (HEAD + b"Content-Type: text/html\r\n\r\n<img src='https://a.example/b.png'>", []),
    ],
)
def test_a_message_without_text_says_so(raw: bytes, notes: list[str]) -> None:
    content = content_of(raw)
    assert content.special.get("notes", []) == notes
    assert content.special.get("blank", False) is bool(notes)


def test_a_message_nested_200_deep_says_why_it_is_a_file() -> None:
    opened = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(200))
    content = content_of(HEAD + opened + b"\r\nwords")
    assert content.special["notes"] == ["too-deep", "no-text"]
    assert [row["role"] for row in content.parts] == ["attachment"]


CORPUS = os.environ.get("MAILROOM_CORPUS", "")


@pytest.mark.skipif(not CORPUS, reason="MAILROOM_CORPUS names no folder of public samples")
def test_no_public_sample_opens_blank_without_a_word() -> None:
    seen = 0
    for path in sorted(Path(CORPUS).rglob("*.eml")):
        content = content_of(path.read_bytes())
        shown = content.text.strip() or (content.clean is not None and "<img" in content.clean.html)
        assert shown or content.special.get("notes") or "protection" in content.special, path.name
        seen += 1
    assert seen > 100


# --- blank renditions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "html", [b"", b"<html><body></body></html>", b"<style>p{color:red}</style><!-- x -->", b"&nbsp;"]
)
def test_s50_an_empty_rendition_gives_way_to_the_other(html: bytes) -> None:
    renditions = mixed(part(b"text/plain", b"The words"), part(b"text/html", html)).replace(b"mixed", b"alternative", 1)
    content = content_of(renditions)
    assert (content.text.strip(), content.clean) == ("The words", None)
    assert "blank" not in content.special
    assert content.snippet == "The words"


def test_both_renditions_may_be_empty() -> None:
    raw = mixed(part(b"text/plain", b" "), part(b"text/html", b"<p></p>")).replace(b"mixed", b"alternative", 1)
    assert content_of(raw).special == {"blank": True, "notes": ["empty"]}


@pytest.mark.parametrize("kind", [b"text/vcard", b"text/calendar", b"text/csv"])
def test_what_is_attached_without_a_name_is_no_emptiness(kind: bytes) -> None:
    content = content_of(b"MIME-Version: 1.0\r\n" + part(kind, b"X:Y"))
    assert content.special["notes"] == ["no-text"]


HIDDEN = [
    b"<div style='display:none'>The words</div>",
    b"<div style='font-size:0'>The <b>words</b></div><!-- -->",
    b"<p style='color:#fff'>The words</p><p style='color:#fefefe'>&nbsp;</p>",
]


@pytest.mark.parametrize("html", HIDDEN)
def test_s50_words_that_the_message_hides_itself_are_shown_and_said_to_be(html: bytes) -> None:
    content = content_of(HEAD + part(b"text/html", html))
    assert (content.text.strip(), content.clean) == ("The words", None)
    assert content.special["notes"] == ["hidden"]


@pytest.mark.parametrize(
    "html",
    [
        HIDDEN[0] + b"<p>more</p>",
        HIDDEN[0] + b"<img src='cid:x' alt=''>",
        HIDDEN[0] + b"<img src='https://x.test/a.png' width=300 height=200>",
        b"<table bgcolor=black><td style='color:#fff'>The words</td></table>",
        b"<div style='font-size:0'><span style='font-size:14px'>The words</span></div>",
    ],
)
def test_what_shows_something_is_left_as_it_is(html: bytes) -> None:
    content = content_of(HEAD + part(b"text/html", html))
    assert content.clean is not None
    assert "notes" not in content.special
