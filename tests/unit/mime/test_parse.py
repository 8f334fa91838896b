import base64
from email import message_from_bytes
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.parse import DEFAULT, Limits, ParsedMessage, parse_message, part_bytes, part_text
from webmail.mime.structure import choose_body, find_part, walk


def mail(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


NESTED = """\
From: ann@example.org
Content-Type: multipart/mixed; boundary="b"

preamble
--b
Content-Type: multipart/alternative; boundary="b-1"

--b-1

plain é
--b-1
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>caf=C3=A9</p>
--b-1--
--b
Content-Type: message/rfc822

From: bob@example.org
Subject: inner
Content-Type: multipart/mixed; boundary=c

--c
Content-Type: text/plain

inner text
--c
Content-Type: application/pdf; name="a.pdf"
Content-Disposition: attachment; filename="a.pdf"
Content-Transfer-Encoding: base64

aGVsbG8=
--c--

--b
Content-Type: message/rfc822

Subject: single

just text
--b--
epilogue
"""


def shape(parsed: ParsedMessage) -> list[tuple[str, str]]:
    return [(part.path, part.media_type) for part in walk(parsed.root)]


@pytest.mark.parametrize("raw", [mail(NESTED), NESTED.encode()])
def test_paths_and_contents(raw: bytes) -> None:
    parsed = parse_message(raw)
    assert parsed.problem == ""
    assert shape(parsed) == [
        ("TEXT", "multipart/mixed"),
        ("1", "multipart/alternative"),
        ("1.1", "text/plain"),
        ("1.2", "text/html"),
        ("2", "message/rfc822"),
        ("2.TEXT", "multipart/mixed"),
        ("2.1", "text/plain"),
        ("2.2", "application/pdf"),
        ("3", "message/rfc822"),
        ("3.1", "text/plain"),
    ]
    found = {part.path: part for part in walk(parsed.root)}
    assert part_text(raw, found["1.1"]) == "plain é"
    assert part_text(raw, found["1.2"]) == "<p>café</p>"
    assert part_bytes(raw, found["2.2"]) == b"hello"
    assert part_bytes(raw, found["3"]).startswith(b"Subject: single")
    assert part_text(raw, found["3.1"]) == "just text"


def leaves(message: Message) -> list[tuple[str, bytes]]:
    """The leaves as Python's own parser sees them."""
    return [
        (part.get_content_type(), part.get_payload(decode=True))  # type: ignore[misc]  # bytes for leaves
        for part in message.walk()
        if not part.is_multipart()
    ]


def test_agrees_with_the_standard_parser() -> None:
    raw = mail(NESTED)
    ours = [
        (part.media_type, part_bytes(raw, part))
        for part in walk(parse_message(raw).root)
        if not part.is_multipart and not part.is_message
    ]
    assert ours == leaves(message_from_bytes(raw))


@pytest.mark.parametrize(
    ("raw", "text", "problem"),
    [
        (b"", "", ""),
        (b"\r\n\r\n", "", ""),
        (b"just words", "just words", ""),
        (b"Subject: x\r\n", "", ""),
        (b"Subject: x\r\nno blank line", "no blank line", ""),
        (b"From ann Tue Mar  5 10:00:00 2024\nSubject: x\n\nbody", "body", ""),
        (b"\n\nNote: this is text\n", "Note: this is text\n", ""),
        (b"Content-Type: multipart/mixed\n\n--x\n\nhi\n--x--\n", "--x\n\nhi\n--x--\n", "no-boundary"),
        (b"Content-Type: multipart/mixed; boundary=y\n\nno delimiter", "no delimiter", "no-boundary"),
        (b"Content-Type: multipart/mixed; boundary=y\n\n--y\n\nnever closed", "never closed", ""),
        (b"Content-Type: text\n\nhi", "hi", ""),
        (b"Content-Type: garbage\nContent-Transfer-Encoding: 7-bit\n\nhi", "hi", ""),
        (b"Content-Type: text/plain; charset=x-unknown\n\nGr\xc3\xbc\xc3\x9fe\0", "Grüße\ufffd", ""),
        (b"Content-Type: text/plain; format=flowed\n\none \ntwo\n", "one two\n", ""),
        (b"Content-Type: text/plain; charset=utf-8\nContent-Type: text/html\n\nfirst counts", "first counts", ""),
    ],
)
def test_malformed_messages_show_their_text(raw: bytes, text: str, problem: str) -> None:
    parsed = parse_message(raw)
    body = choose_body(parsed.root).text
    assert body is not None
    assert part_text(raw, body) == text
    assert parsed.problem == problem


def test_depth_is_capped_and_the_rest_kept() -> None:
    raw = b"From: a@b\r\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(2_000)
    )
    parsed = parse_message(raw)
    parts = [*walk(parsed.root)]
    assert (parsed.problem, len(parts), parts[-1].problem) == ("too-deep", DEFAULT.depth, "too-deep")
    assert part_bytes(raw, parts[-1]).startswith(b"--b49\r\n")
    assert choose_body(parsed.root).attachments == (parts[-1],)


def test_parts_are_capped_and_the_rest_kept() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nhi\r\n" * 100_000
    parsed = parse_message(raw)
    parts = [*walk(parsed.root)]
    assert (parsed.problem, len(parts)) == ("too-many-parts", DEFAULT.parts + 1)
    assert parts[-1].end == len(raw)


def test_messages_in_messages_are_capped() -> None:
    parsed = parse_message(b"Content-Type: message/rfc822\r\n\r\n" * 100)
    assert shape(parsed)[-1] == ("1.1.1.1.1.1", "message/rfc822")


def test_header_caps_are_told() -> None:
    parsed = parse_message(b"X-A: b\r\n" * 100_000 + b"\r\nhi")
    assert parsed.problem == "headers-too-large"
    assert len(parsed.all_headers) == 500


def test_text_is_cut_at_the_cap() -> None:
    raw = b"Subject: x\n\n" + b"a" * 100
    assert len(part_text(raw, parse_message(raw).root, limits=Limits(text=10))) == 10


def test_a_base64_multipart_is_opened_only_when_its_boundary_is_hidden() -> None:
    inner = base64.encodebytes(b"--b\r\nContent-Type: text/html\r\n\r\n<p>hi\r\n--b--\r\n")
    raw = b"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n" + inner
    part = find_part(parse_message(raw).root, "1")
    assert part is not None
    assert part_text(raw, part) == "<p>hi"


def test_files_inside_text_become_attachments() -> None:
    uu = "begin 644 ../hi.txt\n%:&5L;&\\\n`\nend\n"
    yenc = "=ybegin line=128 size=1 name=b.bin\nk\n=yend\n"
    raw = mail(f"Subject: x\n\nbefore\n{uu}after\n{yenc}")
    root = parse_message(raw).root
    assert part_text(raw, root) == "before\nafter\n"
    files = choose_body(root).attachments
    assert [(file.path, file.filename, part_bytes(raw, file)) for file in files] == [
        ("1.U1", "hi.txt", b"hello"),
        ("1.U2", "b.bin", b"A"),
    ]


def test_begin_without_end_is_text() -> None:
    raw = b"Subject: x\n\nbegin 644 life\nM and so on\n"
    assert parse_message(raw).root.children == ()


PIECES = [
    b"Content-Type: ",
    b"multipart/mixed; boundary=b",
    b"message/rfc822",
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"--b",
    b"--b--",
    b"\0",
]
PIECES += [
    b"text/html; charset=x",
    b"Content-Transfer-Encoding: base64\n",
    b"aGk=",
    b"\xff",
    b"begin 644 x\n",
    b"`\nend\n",
]


@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_any_octets_give_a_tree_whose_parts_can_be_read(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    parsed = parse_message(raw)
    assert parsed.problem != "unreadable"
    for part in walk(parsed.root):
        part_bytes(raw, part)
        part_text(raw, part)
        assert 0 <= part.start <= part.end
