"""A message as parsers that share no code with each other or with us read it, in one form to compare.

Python's `email`; GMime, the C library behind notmuch and mu; Dovecot, which answers ENVELOPE, BODYSTRUCTURE and BINARY
from its own. GMime stands in for the parsers of the npm registry: it is one package of Debian, where those would bring
Node and its package manager along.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import EmailMessage, Message, MIMEPart
from email.utils import unquote
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from imaplib import IMAP4

    from imapclient import IMAPClient

People = tuple[tuple[str, str], ...]  # (name, address), the domain as it stands in the message
PEOPLE = ("from", "to", "cc", "bcc", "reply-to")


@dataclass(frozen=True, slots=True)
class Part:
    """A part and what is in it. `content` of a leaf is decoded; of a multipart and a message it is empty."""

    kind: str
    filename: str = ""
    disposition: str = ""
    content_id: str = ""
    content: bytes = b""
    parts: tuple[Part, ...] = ()

    def leaves(self) -> Iterator[Part]:
        """The parts that hold something, in order, those of attached messages too."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()


@dataclass(frozen=True, slots=True)
class Reading:
    """A whole message. Identifiers are without angle brackets."""

    subject: str
    people: dict[str, People]
    message_id: str
    in_reply_to: str
    references: tuple[str, ...]
    root: Part


def identifiers(value: str) -> tuple[str, ...]:
    return tuple(re.findall(r"<([^>]*)>", value))


# --- Python's email --------------------------------------------------------------------------------------------------


def by_python(raw: bytes) -> Reading:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not list(_defects(message))
    return Reading(
        subject=str(message["subject"]),
        people={name: _python_people(message, name) for name in PEOPLE},
        message_id="".join(identifiers(str(message["message-id"]))),
        in_reply_to="".join(identifiers(str(message["in-reply-to"] or ""))),
        references=identifiers(str(message["references"] or "")),
        root=_python_part(message),
    )


def _defects(message: Message) -> Iterator[object]:
    for part in message.walk():
        yield from part.defects


def _python_people(message: EmailMessage, name: str) -> People:
    field = message[name]
    found = field.addresses if field is not None else ()
    # octets beyond ASCII (RFC 6532) come as surrogates
    return tuple((one.display_name, one.addr_spec.encode("utf-8", "surrogateescape").decode()) for one in found)


def _python_part(part: MIMEPart) -> Part:
    inner = tuple(_python_part(one) for one in part.iter_parts()) if part.is_multipart() else ()
    if part.get_content_type() == "message/rfc822":
        inner = (_python_part(part.get_payload(0)),)  # type: ignore[arg-type]  # is one, by its policy
    octets = b"" if inner else part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return Part(
        kind=part.get_content_type(),
        filename=part.get_filename() or "",
        disposition=part.get_content_disposition() or "",
        content_id="".join(identifiers(str(part["content-id"] or ""))),
        content=octets,
        parts=inner,
    )


# --- Dovecot ---------------------------------------------------------------------------------------------------------


def by_dovecot(client: IMAPClient, contents: IMAP4, uid: int) -> Reading:
    """Of a message in the selected mailbox; `contents` is another client there, for answers that the first cannot read.

    What Dovecot leaves encoded (words, names of files) is decoded here.
    """
    row = client.fetch([uid], ["ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[HEADER.FIELDS (REFERENCES)]"])[uid]
    envelope = row[b"ENVELOPE"]
    lists = dict(zip(PEOPLE, (envelope.from_, envelope.to, envelope.cc, envelope.bcc, envelope.reply_to), strict=True))
    people = {name: _envelope_people(found) for name, found in lists.items()}
    if people["reply-to"] == people["from"]:  # RFC 9051 section 7.5.2: what is missing is filled in with From
        people["reply-to"] = ()
    field = next(value for name, value in row.items() if name.startswith(b"BODY[HEADER"))
    return Reading(
        subject=_words(envelope.subject or b""),
        people=people,
        message_id="".join(identifiers(_text(envelope.message_id or b""))),
        in_reply_to="".join(identifiers(_text(envelope.in_reply_to or b""))),
        references=identifiers(_text(field)),
        root=_dovecot_part(contents, uid, row[b"BODYSTRUCTURE"], ""),
    )


def _text(value: bytes) -> str:
    return value.decode()


def _words(value: bytes) -> str:
    return str(make_header(decode_header(_text(value))))


def _envelope_people(found: Any) -> People:
    return tuple(
        (_words(one.name or b""), f"{_text(one.mailbox)}@{_text(one.host)}") for one in found or () if one.host
    )


def _dovecot_part(client: IMAP4, uid: int, body: Any, path: str) -> Part:
    if body.is_multipart:
        numbered = enumerate(body[0], start=1)
        parts = tuple(_dovecot_part(client, uid, one, f"{path}.{number}".strip(".")) for number, one in numbered)
        return Part(f"multipart/{_text(body[1]).lower()}", parts=parts)
    kind = f"{_text(body[0])}/{_text(body[1])}".lower()
    path = path or "1"
    disposition, parameters = _disposition(body)
    name = _parameter(parameters, b"filename") or _parameter(body[2], b"name")
    content_id = "".join(identifiers(_text(body[3] or b"")))
    if kind == "message/rfc822":
        from imapclient.response_types import BodyData

        inner = BodyData.create(body[8])
        nested = _dovecot_part(client, uid, inner, path if inner.is_multipart else f"{path}.1")
        return Part(kind, name, disposition, content_id, parts=(nested,))
    found = client.uid("FETCH", str(uid), f"(BINARY.PEEK[{path}])")[1][0]
    return Part(kind, name, disposition, content_id, found[1] if isinstance(found, tuple) else b"")


def _disposition(body: Any) -> tuple[str, Any]:
    """The first list in the body's extension data that is a disposition: ("attachment" ("filename" "…"))."""
    for item in body[7:]:
        if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], bytes):
            word = _text(item[0]).lower()
            if word in ("attachment", "inline"):
                return word, item[1]
    return "", None


def _parameter(listed: Any, name: bytes) -> str:
    """Dovecot joins the segments of RFC 2231 and leaves their encoding: `filename*` with `utf-8''%C3%85`."""
    pairs = {key.lower(): value for key, value in zip(listed[::2], listed[1::2], strict=True)} if listed else {}
    extended = pairs.get(name + b"*")
    if extended is not None:
        charset, _, octets = extended.split(b"'", 2)
        return unquote_to_bytes(octets).decode(charset.decode())
    return unquote(_text(pairs.get(name, b"")))
