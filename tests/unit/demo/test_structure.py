"""Parts, envelopes and body structures of the demo server."""

from deploy.demo.imap.fetching import find_part, pick_fields
from deploy.demo.structure import body_structure, envelope
from deploy.demo.wiremime import parse_message

NESTED = (
    b'Content-Type: multipart/mixed; boundary="o"\r\n\r\npreamble\r\n'
    b"--o\r\nContent-Type: text/plain\r\n\r\none\r\n"
    b"--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
    b"--i\r\n\r\nplain\r\n--i\r\nContent-Type: text/html\r\n\r\n<b>\r\n--i--\r\n"
    b"--o--\r\nepilogue\r\n"
)


def body_of(path: tuple[int, ...]) -> bytes | None:
    part = find_part(parse_message(NESTED), path)
    return None if part is None else part.body_bytes


def test_parts_are_found_by_number_also_inside_messages() -> None:
    assert body_of((1,)) == b"one"
    assert body_of((2, 1)) == b"plain"
    assert body_of((2, 2)) == b"<b>"
    assert body_of((1, 1)) is None
    assert body_of((3,)) is None


def test_the_structure_of_nested_parts() -> None:
    assert body_structure(parse_message(NESTED), extended=False) == (
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0)'
        b'("message" "rfc822" NIL NIL NIL "7bit" 120 (NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL) '
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 0)'
        b'("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 3 0) "alternative") 10) "mixed")'
    )


def test_a_multipart_without_its_boundary_is_plain_text() -> None:
    assert body_structure(parse_message(b"Content-Type: multipart/mixed\r\n\r\nx")).startswith(b'("text" "plain"')


def test_the_envelope_repeats_the_sender_and_keeps_quotes() -> None:
    raw = b'From: "A \\"B\\" C" <a@b.example>\r\nTo: x@y.example,\r\n z@y.example\r\nSubject: s"q\r\n\r\n'
    sender = b'(("A \\"B\\" C" NIL "a" "b.example"))'
    people = b'((NIL NIL "x" "y.example")(NIL NIL "z" "y.example"))'
    assert envelope(parse_message(raw)) == (
        b'(NIL "s\\"q" ' + b" ".join([sender] * 3) + b" " + people + b" NIL NIL NIL NIL)"
    )


def test_picked_fields_keep_their_folding() -> None:
    header = b"A: 1\r\n 2\r\nB: 3\r\nX-a: 4\r\n\r\n"
    assert pick_fields(header, "HEADER.FIELDS (a)") == b"A: 1\r\n 2\r\n\r\n"
    assert pick_fields(header, 'HEADER.FIELDS.NOT ("A")') == b"B: 3\r\nX-a: 4\r\n\r\n"
