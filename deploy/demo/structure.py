"""ENVELOPE, BODY and BODYSTRUCTURE of a message as IMAP writes them (RFC 3501 section 7.4.2)."""

import re
from email.utils import getaddresses

from deploy.demo.wiremime import Node, split_parameters

PLAIN = re.compile(rb"[\x20-\x7e]{0,900}")
ADDRESS_FIELDS = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")


def nstring(value: bytes | None) -> bytes:
    """NIL, a quoted string, or a literal for what quotes cannot hold (RFC 3501 section 4.3)."""
    if value is None:
        return b"NIL"
    if PLAIN.fullmatch(value):
        return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return b"{%d}\r\n%b" % (len(value), value)


def envelope(node: Node) -> bytes:
    lists = [_addresses(node.header(name)) for name in ADDRESS_FIELDS]
    lists[1] = lists[0] if lists[1] == b"NIL" else lists[1]
    lists[2] = lists[0] if lists[2] == b"NIL" else lists[2]
    head = [nstring(node.header(b"date")), nstring(node.header(b"subject"))]
    tail = [nstring(node.header(b"in-reply-to")), nstring(node.header(b"message-id"))]
    return b"(" + b" ".join([*head, *lists, *tail]) + b")"


def _addresses(value: bytes | None) -> bytes:
    if not value:
        return b"NIL"
    found = []
    for name, address in getaddresses([value.decode("utf-8", "surrogateescape")]):
        mailbox, _, host = address.rpartition("@")
        if mailbox:
            words = [_bytes(name) or None, None, _bytes(mailbox), _bytes(host)]
            found.append(b"(" + b" ".join(nstring(word) for word in words) + b")")
    return b"(" + b"".join(found) + b")" if found else b"NIL"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def body_structure(node: Node, *, extended: bool = True) -> bytes:
    """BODYSTRUCTURE, or with `extended=False` the shorter BODY."""
    if node.children:
        fields = [b"".join(body_structure(child, extended=extended) for child in node.children), nstring(node.media[1])]
        if extended:
            fields += [_parameters(node.params), *_disposition_and_more(node)]
        return b"(" + b" ".join(fields) + b")"
    body = node.body_bytes
    fields = [
        nstring(node.media[0]),
        nstring(node.media[1]),
        _parameters(node.params or ([(b"charset", b"us-ascii")] if node.media[0] == b"text" else [])),
        nstring(node.header(b"content-id")),
        nstring(node.header(b"content-description")),
        nstring(node.header(b"content-transfer-encoding") or b"7bit"),
        b"%d" % len(body),
    ]
    if node.message is not None:
        fields += [envelope(node.message), body_structure(node.message, extended=extended), b"%d" % body.count(b"\n")]
    elif node.media[0] == b"text":
        fields.append(b"%d" % body.count(b"\n"))
    if extended:
        fields += [nstring(node.header(b"content-md5")), *_disposition_and_more(node)]
    return b"(" + b" ".join(fields) + b")"


def _disposition_and_more(node: Node) -> list[bytes]:
    """Disposition, language and location, which end both kinds of extension data."""
    disposition = b"NIL"
    declared = node.header(b"content-disposition")
    if declared:
        word, params = split_parameters(declared)
        disposition = b"(" + nstring(word.lower()) + b" " + _parameters(params) + b")"
    return [disposition, nstring(node.header(b"content-language")), nstring(node.header(b"content-location"))]


def _parameters(params: list[tuple[bytes, bytes]]) -> bytes:
    if not params:
        return b"NIL"
    return b"(" + b" ".join(nstring(name) + b" " + nstring(value) for name, value in params) + b")"
