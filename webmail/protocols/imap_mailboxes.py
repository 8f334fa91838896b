"""Mailboxes seen from outside: LIST, STATUS, NAMESPACE, and what makes, names and removes them.

Invariants: a name goes back to the server as the bytes it came in; only advertised extensions are used, and each that
fails is dropped and the question asked again more plainly. RFC 9051 section 6.3, RFC 5258 (LIST-EXTENDED), RFC 5819
(LIST-STATUS), RFC 6154 (SPECIAL-USE), RFC 8474 (OBJECTID).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from webmail.protocols.errors import CommandFailed
from webmail.protocols.imap_wire.encode import String
from webmail.protocols.imap_wire.replies import kind_of, parse_list, parse_objectid, parse_status, unquoted
from webmail.protocols.imap_wire.scanner import Response
from webmail.protocols.imap_wire.wire import Wire
from webmail.protocols.values import ListedMailbox, MailboxStatus, Namespace

MOST_MAILBOXES = 20_000
MOST_NAME_BYTES = 8 * 1024 * 1024
_PERSONAL = re.compile(rb'\* NAMESPACE \(\("((?:[^"\\]|\\.)*)" +(?:NIL|"((?:[^"\\]|\\.)*)")', re.IGNORECASE | re.DOTALL)


def status_items(capabilities: frozenset[str]) -> bytes:
    """The parenthesised STATUS items this server understands."""
    items = [b"MESSAGES", b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN"]
    if "CONDSTORE" in capabilities:
        items.append(b"HIGHESTMODSEQ")
    if "OBJECTID" in capabilities:
        items.append(b"MAILBOXID")
    return b"(" + b" ".join(items) + b")"


def _return_ladder(capabilities: frozenset[str]) -> Iterator[bytes]:
    """RETURN options from the richest to none at all (empty bytes)."""
    if "LIST-EXTENDED" in capabilities:
        plain = b"CHILDREN SUBSCRIBED"
        special = b"SPECIAL-USE " + plain
        with_use = special if "SPECIAL-USE" in capabilities else plain
        if "LIST-STATUS" in capabilities:
            yield b"(" + with_use + b" STATUS " + status_items(capabilities) + b")"
        yield b"(" + with_use + b")"
        if with_use is special:
            yield b"(" + plain + b")"
    yield b""


def list_mailboxes(wire: Wire) -> list[ListedMailbox]:
    """All mailboxes, each once, in the server's order. Subscriptions come from LSUB where LIST cannot tell.

    Raises CommandFailed when even plain LIST fails, ProtocolViolation above 20,000 mailboxes.
    """
    steps = _return_ladder(wire.capabilities)
    for options in steps:
        try:
            found = _list(wire, options)
            if b" MAILBOXID" in options and any(box.status is not None and not box.mailbox_id for box in found):
                found = _list(wire, options.replace(b" MAILBOXID", b""))  # Cyrus 3.6 gives arbitrary bytes for it
        except CommandFailed:
            if not options:
                raise
            continue
        return found if options else _with_subscriptions(wire, found)
    return []


def _list(wire: Wire, options: bytes) -> list[ListedMailbox]:
    words = (b"LIST", b'""', b'"*"', *((b"RETURN", options) if options else ()))
    return _gather(wire, wire.run(*words, patience=_long(wire)), kind=b"LIST")


def _gather(wire: Wire, responses: Iterable[Response], *, kind: bytes) -> list[ListedMailbox]:
    """Mailboxes of LIST lines with the STATUS lines among them. A line twice is one mailbox with all attributes."""
    boxes: dict[bytes, ListedMailbox] = {}
    statuses: dict[bytes, MailboxStatus] = {}
    volume = 0
    for response in responses:
        word = kind_of(response)[0]
        if word == kind:
            box = parse_list(response)
            volume += sum(map(len, response.chunks))
            if len(boxes) >= MOST_MAILBOXES or volume > MOST_NAME_BYTES:
                wire.violated("the server lists more mailboxes than we take")
            if box is not None:
                known = boxes.get(box.wire_name)
                boxes[box.wire_name] = _merged(known, box) if known else box
        elif word == b"STATUS":
            status = parse_status(response)
            if status is not None and len(statuses) < MOST_MAILBOXES:
                statuses[status[0]] = status[1]
        else:
            wire.volunteer(response)
    return [replace(box, status=statuses.get(name)) for name, box in boxes.items()]


def _merged(first: ListedMailbox, second: ListedMailbox) -> ListedMailbox:
    return replace(
        first, attributes=first.attributes | second.attributes, subscribed=first.subscribed or second.subscribed
    )


def _with_subscriptions(wire: Wire, boxes: list[ListedMailbox]) -> list[ListedMailbox]:
    """LSUB's answer laid over LIST's. A server without LSUB has everything subscribed."""
    try:
        found = _gather(wire, wire.run(b"LSUB", b'""', b'"*"', patience=_long(wire)), kind=b"LSUB")
    except CommandFailed:
        return [replace(box, subscribed=True) for box in boxes]
    names = {box.wire_name for box in found}
    return [replace(box, subscribed=box.wire_name in names) for box in boxes]


def _long(wire: Wire) -> float:
    return wire.patience * 2


def status(wire: Wire, wire_name: bytes) -> MailboxStatus:
    """The counters of a mailbox that is not selected. Raises CommandFailed, also when OK came twice without a STATUS.

    Once it may: on a busy machine Cyrus 3.6 was seen to say nothing but OK.
    """
    value = _status(wire, wire_name) or _status(wire, wire_name)
    if value is None:
        raise CommandFailed("the server gave no status")
    return value


def _status(wire: Wire, wire_name: bytes) -> MailboxStatus | None:
    found = [
        parse_status(response)
        for response in wire.collect(
            b"STATUS", b"STATUS", String(wire_name), status_items(wire.capabilities), most=1000
        )
    ]
    read = [one for one in found if one is not None]
    named = [value for name, value in read if name == wire_name]
    if not named and len(read) != 1:
        return None
    return named[-1] if named else read[0][1]


def namespace(wire: Wire) -> Namespace:
    """Where the person's own mailboxes live; the empty prefix when the server does not say, or refuses to."""
    if "NAMESPACE" not in wire.capabilities:
        return Namespace()
    try:
        responses = wire.collect(b"NAMESPACE", b"NAMESPACE", most=10)
    except CommandFailed:
        return Namespace()
    for response in responses:
        found = _PERSONAL.match(response.chunks[0])
        if found:
            delimiter = unquoted(found[2]).decode("utf-8", "replace") if found[2] else None
            return Namespace(unquoted(found[1]), delimiter)
    return Namespace()


def create(wire: Wire, wire_name: bytes) -> str | None:
    """Make a mailbox; returns its MAILBOXID where the server gives one. Raises CommandFailed (ALREADYEXISTS...)."""
    text = wire.finish(b"CREATE", String(wire_name))
    return parse_objectid(text.data) if text.code == b"MAILBOXID" else None


def rename(wire: Wire, old: bytes, new: bytes) -> None:
    """Rename a mailbox and those below it. Raises CommandFailed."""
    wire.finish(b"RENAME", String(old), String(new))


def delete(wire: Wire, wire_name: bytes) -> None:
    """Remove a mailbox and the mail in it. Raises CommandFailed."""
    wire.finish(b"DELETE", String(wire_name))


def subscribe(wire: Wire, wire_name: bytes, *, subscribed: bool) -> None:
    """Put a name on, or take it off, the list of subscriptions. Raises CommandFailed."""
    wire.finish(b"SUBSCRIBE" if subscribed else b"UNSUBSCRIBE", String(wire_name))
