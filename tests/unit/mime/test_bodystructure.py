import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.structure import Part, find_part, has_attachments, parse_bodystructure, walk

TEXT = b'("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 12 1 NIL NIL NIL NIL)'
HTML = b'("text" "html" ("charset" "utf-8") NIL NIL "quoted-printable" 120 4 NIL NIL NIL NIL)'
PDF = b'("application" "pdf" ("name" "a.pdf") NIL NIL "base64" 99 NIL ("attachment" ("filename" "a.pdf")) NIL NIL)'
NAMED_PDF = b'("application" "pdf" ("name" "a.pdf") NIL NIL "base64" 99 NIL NIL NIL NIL)'
PICTURE = b'("image" "png" ("name" "l.png") "<logo@x>" NIL "base64" 99 NIL ("inline" ("filename" "l.png")) NIL NIL)'
SIGNATURE = b'("application" "pgp-signature" ("name" "s.asc") NIL NIL "7bit" 9 NIL ("attachment" NIL) NIL NIL)'
ENVELOPE = b'("Tue, 5 Mar 2024 10:00:00 +0000" "=?utf-8?Q?L=C3=BCnch?=" NIL NIL NIL NIL NIL NIL NIL "<a@b>")'
ATTACHED = b'("message" "rfc822" NIL NIL NIL "7bit" 500 ' + ENVELOPE + b" %s 12 NIL NIL NIL NIL)"


def multi(subtype: bytes, *parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b' "' + subtype + b'" ("boundary" "b") NIL NIL NIL)'


def tree(raw: bytes) -> Part:
    root = parse_bodystructure(raw)
    assert root is not None
    return root


def paths(raw: bytes) -> list[tuple[str, str]]:
    return [(part.path, part.media_type.split("/")[1]) for part in walk(tree(raw))]


def test_a_leaf_has_everything_the_server_told() -> None:
    raw = (
        b'("APPLICATION" "PDF" ("NAME" "old.pdf") "<c@x>" "a paper" "BASE64" 4321 NIL '
        b'("ATTACHMENT" ("FILENAME*0*" "utf-8\'\'%C3%A9" "FILENAME*1" ".pdf")) NIL "http://x/a.pdf")'
    )
    leaf = tree(raw)
    assert (leaf.path, leaf.media_type, leaf.encoding, leaf.size) == ("1", "application/pdf", "base64", 4321)
    assert (leaf.disposition, leaf.filename, leaf.content_id) == ("attachment", "é.pdf", "c@x")
    assert (leaf.description, leaf.content_location, leaf.start) == ("a paper", "http://x/a.pdf", -1)


# RFC 3501 section 6.4.5
def test_paths_are_section_numbers() -> None:
    inner = multi(b"alternative", TEXT, HTML)
    raw = multi(b"mixed", TEXT, ATTACHED % inner, multi(b"related", HTML, PICTURE), ATTACHED % TEXT)
    assert paths(raw) == [
        ("TEXT", "mixed"),
        ("1", "plain"),
        ("2", "rfc822"),
        ("2.TEXT", "alternative"),
        ("2.1", "plain"),
        ("2.2", "html"),
        ("3", "related"),
        ("3.1", "html"),
        ("3.2", "png"),
        ("4", "rfc822"),
        ("4.1", "plain"),
    ]
    attached = find_part(tree(raw), "2")
    assert attached is not None
    assert attached.shown_name == "Lünch.eml"


def test_literals_and_quotes_inside() -> None:
    raw = b'("text" {5}\r\nplain ("name" {7}\r\na")\\b.t "x" "a\\"b") NIL NIL "7bit" 1 1)'
    assert tree(raw).params == {"name": 'a")\\b.t', "x": 'a"b'}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'("text" "plain" NIL NIL NIL "7bit" 1)', [("1", "plain")]),
        (b'("text" nil)', [("1", "octet-stream")]),
        (b'(NIL "mixed" NIL NIL NIL NIL)', [("TEXT", "mixed")]),
        (b'(("text" "plain" NIL NIL NIL "7bit" bogus)"mixed")', [("TEXT", "mixed"), ("1", "plain")]),
        (b'("message" "rfc822" NIL NIL NIL "7bit" 1 NIL NIL 1)', [("1", "rfc822")]),
        (b'("message" "rfc822" NIL NIL NIL "7bit" 1)', [("1", "rfc822")]),
    ],
)
def test_sloppy_servers_are_understood(raw: bytes, expected: list[tuple[str, str]]) -> None:
    assert paths(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"NIL",
        b"()",
        b"(",
        b")",
        b'("text" "plain"',
        b'("text" "unclosed)',
        b"(" * 100_000,
        b"(" * 60 + TEXT + b' "mixed")' * 60,
        multi(b"mixed", *[TEXT] * 1_001),
        b'("text" "plain" ("a" {99999999}\r\nshort',
    ],
)
def test_what_makes_no_sense_is_none(raw: bytes) -> None:
    assert parse_bodystructure(raw) is None


@pytest.mark.parametrize(
    ("raw", "clip"),
    [
        (TEXT, False),
        (multi(b"alternative", TEXT, HTML), False),
        (multi(b"mixed", TEXT, PDF), True),
        (multi(b"mixed", TEXT, NAMED_PDF), True),
        (multi(b"related", HTML, PICTURE), False),
        (multi(b"mixed", multi(b"related", HTML, PICTURE), NAMED_PDF), True),
        (multi(b"signed", TEXT, SIGNATURE), False),
        (multi(b"signed", multi(b"mixed", TEXT, PDF), SIGNATURE), True),
        (multi(b"mixed", TEXT, ATTACHED % TEXT), True),
        (b'("text" "plain" ("name" "body.txt") NIL NIL "7bit" 12 1 NIL NIL NIL NIL)', False),
        (b'("text" "plain" ("name" {8}\r\nbody.txt) NIL NIL "7bit" 12 1 NIL NIL NIL NIL)', False),
        (b'("application" {3}\r\npdf ("name" "a") NIL NIL "base64" 12 NIL NIL NIL NIL)', True),
        (b"(broken", False),
    ],
)
def test_paperclip(raw: bytes, clip: bool) -> None:
    assert has_attachments(raw) is clip


@given(
    st.lists(st.sampled_from([b"(", b")", b'"text" ', b"NIL ", b'"a\\"b" ', b"{1}\r\nx", b"12 ", TEXT]), max_size=40)
)
def test_any_tokens_are_taken(tokens: list[bytes]) -> None:
    raw = b"(" + b"".join(tokens)
    parse_bodystructure(raw)
    has_attachments(raw)
