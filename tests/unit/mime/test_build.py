import io
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.addresses import Address
from webmail.mime.build import (
    Attachment,
    Composition,
    Frame,
    base64_size,
    estimate_size,
    fill,
    new_message_id,
    write_message,
)
from webmail.mime.parse import parse_message, part_bytes, part_text
from webmail.mime.structure import choose_body, walk

ANN = Address("Änn Lee", "ann@example.org")
BOB = Address('Bob "B"', "bob@example.com")
PNG = Attachment("logo.png", "image/png", b"\x89PNG", 4, content_id="logo@x")
PDF = Attachment("Größe, 日本 👍.pdf", "application/pdf", b"%PDF" * 100, 400)
BASE = Composition(
    from_=(ANN,),
    to=(BOB,),
    subject="Hello",
    message_id="m1@example.org",
    date=datetime(2024, 3, 5, 10, 20, 30, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
    boundary_seed=b"seed",
    text="Hello\n",
)


def build(composition: Composition, *, keep_bcc: bool = False) -> bytes:
    out = io.BytesIO()
    write_message(composition, out, keep_bcc=keep_bcc)
    return out.getvalue()


def as_python_reads_it(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert not [defect for part in message.walk() for defect in part.defects]
    return message


def check_lines(raw: bytes) -> None:
    assert raw.endswith(b"\r\n")
    for line in raw.split(b"\r\n"):
        assert b"\n" not in line
        assert b"\r" not in line
        assert len(line) <= 998


def test_a_plain_message() -> None:
    raw = build(BASE)
    check_lines(raw)
    assert raw == (
        b"Date: Tue, 05 Mar 2024 10:20:30 -0530\r\n"
        b"From: =?utf-8?q?=C3=84nn_Lee?= <ann@example.org>\r\n"
        b'To: "Bob \\"B\\"" <bob@example.com>\r\n'
        b"Subject: Hello\r\n"
        b"Message-ID: <m1@example.org>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=utf-8; format=flowed\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Hello\r\n"
    )


def test_everything_at_once_is_read_alike_by_two_parsers() -> None:
    html = '<p>Grüße <img src="cid:logo@x">'
    raw = build(replace(BASE, text="Grüße\n" + "long " * 100, html=html, attachments=(PNG, PDF), subject="Grüße " * 30))
    check_lines(raw)
    parsed = parse_message(raw)
    assert [(part.path, part.media_type) for part in walk(parsed.root)] == [
        ("TEXT", "multipart/mixed"),
        ("1", "multipart/alternative"),
        ("1.1", "text/plain"),
        ("1.2", "multipart/related"),
        ("1.2.1", "text/html"),
        ("1.2.2", "image/png"),
        ("2", "application/pdf"),
    ]
    choice = choose_body(parsed.root)
    assert choice.text
    assert choice.html
    assert part_text(raw, choice.text).strip() == ("Grüße\n" + "long " * 100).strip()
    assert part_text(raw, choice.html).strip() == html
    assert part_bytes(raw, choice.inline["logo@x"]) == PNG.data
    assert (choice.attachments[0].filename, part_bytes(raw, choice.attachments[0])) == (PDF.filename, PDF.data)
    assert parsed.headers.subject == ("Grüße " * 30).strip()
    assert (parsed.headers.from_, parsed.headers.to) == ((ANN,), (BOB,))

    message = as_python_reads_it(raw)
    assert [part.get_content_type() for part in message.walk()] == [part.media_type for part in walk(parsed.root)]
    assert [part.get_filename() for part in message.iter_attachments()] == [PDF.filename]
    assert message["From"].addresses[0].display_name == ANN.name


def test_the_same_composition_gives_the_same_octets() -> None:
    composition = replace(BASE, html="<p>x", attachments=(PDF,))
    assert build(composition) == build(composition)
    assert build(composition) != build(replace(composition, boundary_seed=b"other"))


def test_bcc_is_only_in_the_kept_copy() -> None:
    composition = replace(BASE, to=(), bcc=(Address("", "secret@example.net"),))
    assert b"secret" not in build(composition)
    assert b"To: undisclosed-recipients:;\r\n" in build(composition)
    assert b"Bcc: secret@example.net\r\n" in build(composition, keep_bcc=True)


BAD = ["a\r\nBcc: x@y.example", "a\nb", "a\rb", "a\0b"]


# S25
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("Subject", lambda bad: {"subject": bad}),
        ("From", lambda bad: {"from_": (Address(bad, "a@x.example"),)}),
        ("To", lambda bad: {"to": (Address("", f"a@x.example{bad}"),)}),
        ("Cc", lambda bad: {"cc": (Address(bad, "a@x.example"),)}),
        ("Bcc", lambda bad: {"bcc": (Address("", bad + "@x.example"),)}),
        ("Reply-To", lambda bad: {"reply_to": (Address(bad, "a@x.example"),)}),
        ("Message-ID", lambda bad: {"message_id": bad}),
        ("In-Reply-To", lambda bad: {"in_reply_to": bad}),
        ("References", lambda bad: {"references": (bad,)}),
        ("Importance", lambda bad: {"extra": {"Importance": bad}}),
        ("Attachment filename", lambda bad: {"attachments": (replace(PDF, filename=bad),)}),
        ("Attachment type", lambda bad: {"attachments": (replace(PDF, content_type=bad),)}),
        ("Content-ID", lambda bad: {"html": "x", "attachments": (replace(PNG, content_id=bad),)}),
    ],
)
def test_line_breaks_are_refused_before_anything_is_written(field: str, change: Any, bad: str) -> None:
    out = io.BytesIO()
    with pytest.raises(ValueError, match=f"^{field} "):
        write_message(replace(BASE, **change(bad)), out, keep_bcc=False)
    assert out.getvalue() == b""


@pytest.mark.parametrize(
    "change",
    [
        {"extra": {"X-Evil": "x"}},
        {"extra": {"Subject: x\r\nBcc": "x"}},
        {"from_": ()},
        {"to": (Address("", "not an address"),)},
        {"to": (Address("", "a@x.example> SIZE=1"),)},
        {"to": (Address("", "a@x.example, b@x.example"),)},
        {"date": datetime(2024, 3, 5)},
        {"message_id": ""},
    ],
)
def test_what_is_no_message_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^(Extra|From|To|Date|Message-ID) "):
        build(replace(BASE, **change))


def test_references_keep_first_and_last() -> None:
    ancestors = tuple(f"{number}@x.example" for number in range(50))
    raw = build(replace(BASE, references=(*ancestors, "odd id with blanks"), in_reply_to="parent@x.example"))
    headers = parse_message(raw).headers
    assert headers.in_reply_to == "parent@x.example"
    assert headers.references == (ancestors[0], *ancestors[31:], "parent@x.example")
    check_lines(raw)


def test_domains_are_written_in_ascii() -> None:
    raw = build(replace(BASE, to=(Address("", "ann@bücher.example"), Address("", "änn@bücher.example"))))
    assert b"To: ann@xn--bcher-kva.example, \xc3\xa4nn@xn--bcher-kva.example\r\n" in raw
    assert new_message_id("bücher.example", bytes(16)) == "0" * 32 + "@xn--bcher-kva.example"


def test_html_alone_gets_a_plain_alternative() -> None:
    raw = build(replace(BASE, text=None, html='<p>See <a href="https://x.example/">this</a>'))
    text = choose_body(parse_message(raw).root).text
    assert text is not None
    assert part_text(raw, text) == "See this <https://x.example/>"


ORIGINAL = b"Subject: original\r\nContent-Type: text/plain\r\n\r\n-- \r\n%s\r\n"


@pytest.mark.parametrize(
    ("original", "encoding", "kept"),
    [
        (ORIGINAL % b"body", b"7bit", ORIGINAL % b"body"),
        (ORIGINAL % "Grüße".encode(), b"8bit", ORIGINAL % "Grüße".encode()),
        ((ORIGINAL % b"body").replace(b"\r\n", b"\n"), b"7bit", ORIGINAL % b"body"),
    ],
)
def test_attached_originals_keep_their_octets(original: bytes, encoding: bytes, kept: bytes) -> None:
    item = Attachment("original.eml", "message/rfc822", original, len(original))
    raw = build(replace(BASE, attachments=(item,)))
    check_lines(raw)
    assert b"Content-Transfer-Encoding: " + encoding + b"\r\n" in raw.rpartition(b"message/rfc822")[2]
    attached = choose_body(parse_message(raw).root).attachments[0]
    assert part_bytes(raw, attached).rstrip(b"\r\n") == kept.rstrip(b"\r\n")


@pytest.mark.parametrize("original", [ORIGINAL % (b"x" * 2_000), ORIGINAL % b"a\rb", ORIGINAL % b"\0"])
def test_an_original_whose_lines_are_none_of_mail_is_a_file(original: bytes) -> None:
    """RFC 2046 section 5.2.1: a message/rfc822 is never encoded, and readers take it as it stands."""
    item = Attachment("original.eml", "message/rfc822", original, len(original))
    raw = build(replace(BASE, attachments=(item,)))
    check_lines(raw)
    assert b"message/rfc822" not in raw
    attached = choose_body(parse_message(raw).root).attachments[0]
    assert (attached.media_type, attached.filename) == ("application/octet-stream", "original.eml")
    assert part_bytes(raw, attached) == original


class Endless(io.RawIOBase):
    """Gives `size` octets in awkward pieces without ever holding them."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece = min(self.left, max(size // 3, 1))
        self.left -= piece
        return b"x" * piece


class Counter(io.RawIOBase):
    """Counts what is written and the largest single piece."""

    total = largest = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.total += len(data)
        self.largest = max(self.largest, len(data))
        return len(data)


def test_attachments_are_streamed() -> None:
    size = 5_000_000
    item = Attachment("big.bin", "application/octet-stream", lambda: cast(Any, Endless(size)), size)
    composition = replace(BASE, attachments=(item,))
    out = Counter()
    write_message(composition, cast(Any, out), keep_bcc=False)
    assert size * 4 // 3 < out.total <= estimate_size(composition)
    assert out.largest < 100_000


def test_attachment_types_are_checked() -> None:
    items = (
        replace(PDF, filename="a.ics", content_type="text/calendar; method=REPLY; charset=utf-8"),
        replace(PDF, filename="b", content_type="nonsense"),
        replace(PDF, filename="", content_type="text/plain"),
    )
    root = parse_message(build(replace(BASE, attachments=items))).root
    calendar, unknown, unnamed = root.children[1:]
    assert (calendar.media_type, calendar.params["method"]) == ("text/calendar", "REPLY")
    assert (unknown.media_type, unknown.filename) == ("application/octet-stream", "b")
    assert (unnamed.media_type, unnamed.filename) == ("text/plain", "")


@given(
    subject=st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=150),
    name=st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), max_size=60),
    text=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=300),
    filename=st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=200),
)
def test_anything_writable_is_mail(subject: str, name: str, text: str, filename: str) -> None:
    item = replace(PDF, filename=filename)
    raw = build(replace(BASE, subject=subject, to=(Address(name, "bob@example.com"),), text=text, attachments=(item,)))
    check_lines(raw)
    parsed = parse_message(raw)
    assert [part.media_type for part in walk(parsed.root)] == ["multipart/mixed", "text/plain", "application/pdf"]
    assert [address.addr_spec for address in parsed.headers.to] == ["bob@example.com"]
    assert part_bytes(raw, parsed.root.children[1]) == PDF.data
    assert message_from_bytes(raw).get_payload(0)


@given(sizes=st.lists(st.integers(0, 200_000), max_size=3), inline=st.booleans())
def test_a_frame_is_filled_to_what_would_have_been_written(sizes: list[int], inline: bool) -> None:
    contents = {str(number): bytes([number]) * size for number, size in enumerate(sizes)}
    files = tuple(
        Attachment(
            f"{key}.bin",
            "image/png",
            data,
            len(data),
            content_id=f"{key}@x" if inline and key == "0" else None,
            key=key,
        )
        for key, data in contents.items()
    )
    composition = replace(BASE, html='<p><img src="cid:0@x">', attachments=files)
    kept = io.BytesIO()
    frame = Frame(kept)
    write_message(composition, frame, keep_bcc=False)
    assert [key for _at, key in frame.holes] == list(contents)
    out = io.BytesIO()
    fill(io.BytesIO(kept.getvalue()), frame.holes, lambda key: io.BytesIO(contents[key]), out)
    assert out.getvalue() == build(composition)
    assert len(out.getvalue()) == frame.size + sum(map(base64_size, sizes))
