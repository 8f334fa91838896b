"""Message bodies and attachments: fetched when wanted, decoded, cleaned, kept.

Invariants: only what is looked at is fetched; no transaction is open while a server is spoken to; every end is
written and told, so that no page waits for ever; attachments of any size pass in constant memory; a broken structure
falls back to the whole message. RFC 9051 section 6.4.5 (BODY.PEEK).
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db import IntegrityError, InterfaceError, OperationalError

from accounts.crypto import SealBroken
from accounts.models import MailAccount
from webmail import live, storage
from webmail.budget import Busy
from webmail.failures import note_refusal
from webmail.mime.headers import MAX_BYTES
from webmail.mime.parse import ParsedMessage, parse_message, part_bytes
from webmail.mime.part import Part, find_part
from webmail.mime.structure import parse_bodystructure, tree_has_attachments
from webmail.mime.transfer import decode_transfer
from webmail.models import Mailbox, Message, MessageBody, Placement, RemoteOp
from webmail.progress import Bringing
from webmail.protocols.errors import CommandFailed, MailServerError
from webmail.protocols.imap import Session
from webmail.render.html import SANITIZER_VERSION
from webmail.sync import warm
from webmail.sync.body_rows import record_part, write
from webmail.sync.content import LARGEST_TEXT, beginning, read_content
from webmail.sync.decoding import Decoder
from webmail.sync.opening import is_inside
from webmail.sync.return_path import ASKS, returns_to, returns_to_in
from webmail.sync.signatures import SignedFields, signed_fields, signed_in

log = logging.getLogger(__name__)
PIECE = 2**20  # octets of a stored message that are decoded at once
_CUT = frozenset({"headers-too-large", "too-many-headers"})
State = MessageBody.State

GONE = "The message is no longer on the server."
STOPPED = "The account is not connected at the moment."
PART_ELSEWHERE = "The server could not be asked for this file."
ELSEWHERE = "The server could not be asked for this message."
INTERNAL = "This message could not be read."


def fetch_body(message_id: int) -> None:
    """Brings a message's readable content; what goes wrong is written on its body row and told to open pages."""
    message = _message(message_id)
    if message is None or message.extra.get("not_downloaded"):
        return  # only its owner's wish brings more of it
    body = MessageBody.objects.filter(message=message).defer("text", "clean_html").first()
    if body is not None and body.state == State.HERE and body.clean_version == SANITIZER_VERSION:
        return
    with _outcome(message):
        if body is not None and body.raw_digest:
            analyse_raw(message_id)
        else:
            _over_the_wire(message, lambda session, box, uid: load(session, message, uid))
        tell(message)


def fetch_part(message_id: int, path: str) -> None:
    """Brings one attachment (or with ``path`` "" the whole message) into storage; never raises for a server's fault."""
    message = _message(message_id)
    body = MessageBody.objects.filter(message=message_id).first()
    if message is None or (body is None and path) or message.extra.get("not_downloaded"):
        return
    raw_digest = body.raw_digest if body is not None else ""
    entry = next((part for part in body.parts if part["path"] == path), None) if body is not None else None
    if (not path and raw_digest) or (path and (entry is None or entry["digest"])):
        return
    if is_inside(path):
        _read_again(message)  # no server has such a section
        return
    told = Bringing(message_id, path)
    if not told.mine:
        return
    try:
        if raw_digest:
            digest = _part_of_raw(message, raw_digest, path, told)
        else:
            stream = partial(_stream, path=path, encoding=entry["encoding"] if entry else "", told=told)
            digest = _over_the_wire(message, lambda session, _, uid: stream(session, uid, keep=message.account_id))
    except Busy:
        told.ended()  # whoever waits asks again
        return
    except (MailServerError, SealBroken, OSError) as error:
        log.info("part of message %s: %s", message_id, type(error).__name__)
        note_refusal(message.account, error)
        told.failed((error.server_line if isinstance(error, MailServerError) else "") or PART_ELSEWHERE)
        return
    record_part(message, path, digest)
    told.ended()
    tell(message)


def _read_again(message: Message) -> None:
    MessageBody.objects.filter(message=message).update(state=State.WANTED)
    fetch_body(message.pk)


def analyse_raw(message_id: int) -> None:
    """Reads a message that is in storage whole (POP3, sent). Raises FileNotFoundError when it is not."""
    message = _message(message_id)
    body = MessageBody.objects.filter(message=message_id).first()
    if message is None or body is None:
        return
    with storage.mapped(message.account_id, body.raw_digest) as raw:
        keep(message, parse_message(raw), raw, raw_digest=body.raw_digest)


def keep(message: Message, parsed: ParsedMessage, raw: bytes, *, raw_digest: str) -> None:
    """Writes the content of a whole message."""
    content = read_content(parsed.root, partial(beginning, raw))
    if parsed.problem:
        content.special["notes"] = list(dict.fromkeys([parsed.problem, *content.special.get("notes", [])]))
    if message.extra.get(ASKS):
        content.special |= returns_to(parsed.all_headers)
    digests = {part.path: storage.put(message.account_id, part_bytes(raw, part)) for part in content.pictures}
    digests |= _put_all(message, content.octets)
    write(
        message,
        content,
        digests=digests,
        raw_digest=raw_digest,
        headers=[list(pair) for pair in parsed.all_headers],
        signatures=[] if parsed.headers.warnings & _CUT else signed_fields(parsed.all_headers),
        attachment=tree_has_attachments(parsed.root),
    )


def _put_all(message: Message, octets: dict[str, bytes]) -> dict[str, str]:
    """The digests of what is now in storage, by path."""
    return {path: storage.put(message.account_id, data) for path, data in octets.items()}


# --- over the wire ---------------------------------------------------------------------------------------------------

Fetch = Callable[[Session, Mailbox, int], Any]


def _over_the_wire(message: Message, work: Fetch) -> Any:
    """Runs ``work`` where the message lies on the server. Raises MailServerError, SealBroken."""
    if message.account.stopped or message.account.protocol != MailAccount.Protocol.IMAP:
        raise CommandFailed(STOPPED if message.account.stopped else GONE, code="NONEXISTENT")
    if message.account.told_to_wait:
        raise CommandFailed(message.account.server_line, code="UNAVAILABLE")
    places = list(_places(message))
    error = CommandFailed(GONE, code="NONEXISTENT")
    for box, uid in places:
        try:
            return warm.with_session(message.account, partial(_at, box, uid, work))
        except CommandFailed as failed:
            error = failed
    raise error


def _at(box: Mailbox, uid: int, work: Fetch, session: Session) -> Any:
    warm.select(session, box)
    return work(session, box, uid)


def _places(message: Message) -> Iterator[tuple[Mailbox, int]]:
    """Where the server has the message: its placements, or where a queued move still has to take it from."""
    rows = (
        Placement.objects.filter(message=message, origin=None)
        .exclude(state=Placement.State.GONE)
        .select_related("mailbox")
    )
    waiting = []
    for row in rows:
        if row.uid is None:
            waiting.append(row.pk)
        elif row.gen == row.mailbox.gen:
            yield row.mailbox, row.uid
    for pk in waiting:
        ops = RemoteOp.objects.filter(account=message.account_id, placements__contains=[pk], kind=RemoteOp.Kind.MOVE)
        for op in ops.filter(state__in=["queued", "inflight"]).select_related("mailbox"):
            uid = op.uids[op.placements.index(pk)]
            if uid and op.mailbox is not None and op.gen == op.mailbox.gen:
                yield op.mailbox, uid


def load(session: Session, message: Message, uid: int) -> None:
    """Reads the message's texts from the selected mailbox and writes them. Raises MailServerError."""
    root = parse_bodystructure(bytes(message.structure))
    if root is None:
        load_whole(session, message, uid)
        return
    try:
        content = read_content(root, partial(_section, session, uid))
        digests = {part.path: _picture(session, message, uid, part) for part in content.pictures}
        signatures = _signatures(session, message, uid)
        content.special |= _return_path(session, message, uid)
        digests |= _put_all(message, content.octets)
    except CommandFailed as error:
        if error.code not in ("NONEXISTENT", "BAD", error.kind):
            raise
        load_whole(session, message, uid)  # the structure names parts that the server does not have
        return
    write(message, content, digests=digests, signatures=signatures)


def load_whole(session: Session, message: Message, uid: int) -> None:
    """The whole message, for one whose structure cannot be trusted."""
    with storage.spool() as spool:
        session.stream_body(uid, "", spool.write)
        digest = spool.keep(message.account_id)
    with storage.mapped(message.account_id, digest) as raw:
        keep(message, parse_message(raw), raw, raw_digest=digest)


def _section(session: Session, uid: int, part: Part, most: int = LARGEST_TEXT) -> bytes:
    """A part's octets. Raises CommandFailed when the server has nothing where its structure promised something."""
    encoded = session.fetch_section(uid, part.path, max_bytes=most)
    if part.size and not encoded:
        raise CommandFailed("the structure names a part that is not there", code="NONEXISTENT")
    return encoded


def _signatures(session: Session, message: Message, uid: int) -> list[SignedFields]:
    """What is signed, of a message that offers one-click unsubscribing: nothing else depends on it (RFC 8058)."""
    if not message.extra.get("list_unsubscribe_post"):
        return []
    return signed_in(session.fetch_section(uid, "HEADER", max_bytes=MAX_BYTES))


def _return_path(session: Session, message: Message, uid: int) -> dict[str, Any]:
    """Where it came from, of a message that asks for a receipt: nothing else depends on it (RFC 8098 section 2.1)."""
    if not message.extra.get(ASKS):
        return {}
    return returns_to_in(session.fetch_section(uid, "HEADER", max_bytes=MAX_BYTES))


def _picture(session: Session, message: Message, uid: int, part: Part) -> str:
    return storage.put(message.account_id, decode_transfer(_section(session, uid, part), part.encoding))


def _stream(session: Session, uid: int, path: str, encoding: str, *, keep: int, told: Bringing) -> str:
    """A part's decoded octets into the storage of the account ``keep``; returns the digest."""
    with storage.spool() as spool:
        decoder = Decoder(encoding if path else "", spool.write)

        def write(piece: bytes) -> None:
            decoder.write(piece)
            told.wrote(len(piece))

        session.stream_body(uid, path, write)
        decoder.finish()
        return spool.keep(keep)


def _part_of_raw(message: Message, raw_digest: str, path: str, told: Bringing) -> str:
    """The same from the whole message in storage. Raises FileNotFoundError when there is no such part."""
    with storage.mapped(message.account_id, raw_digest) as raw, storage.spool() as spool:
        part = find_part(parse_message(raw).root, path)
        if part is None or part.start < 0:
            raise FileNotFoundError(path)
        octets = raw if part.source is None else part.source
        decoder = Decoder(part.encoding, spool.write)
        for start in range(part.start, part.end, PIECE):
            decoder.write(octets[start : min(part.end, start + PIECE)])
            told.wrote(PIECE)
        decoder.finish()
        return spool.keep(message.account_id)


# --- ends ----------------------------------------------------------------------------------------------------------


def _message(message_id: int) -> Message | None:
    return (
        Message.objects.select_related("account__user", "account__incoming", "account__credential")
        .filter(pk=message_id)
        .first()
    )


@contextmanager
def _outcome(message: Message) -> Iterator[None]:
    """Turns whatever goes wrong into a state of the body that its page shows."""
    try:
        yield
    except Busy:
        log.info("message %s waits for a connection", message.pk)  # the dispatcher asks again, as it is still wanted
    except (MailServerError, SealBroken) as error:
        note_refusal(message.account, error)
        words = error.server_line if isinstance(error, MailServerError) else ""
        _fail(message, words or ELSEWHERE)
    except IntegrityError:
        log.info("message %s went away while it was fetched", message.pk)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.error("message %s: %s", message.pk, type(error).__name__)
        _fail(message, INTERNAL)


def _fail(message: Message, words: str) -> None:
    if MessageBody.objects.filter(message=message, state=State.HERE).exists():
        return  # it was to be read anew; what is here stays
    try:
        MessageBody.objects.update_or_create(
            message=message, defaults={"account_id": message.account_id, "state": State.FAILED, "error": words[:500]}
        )
    except IntegrityError:
        return
    tell(message)


def tell(message: Message) -> None:
    """Open pages show the message anew."""
    live.publish(message.account.user_id, "message", account=message.account_id, message=message.pk)
