"""A mailbox of any size, written straight into Postgres by COPY: the rows that a sync of such mail leaves behind.

Conversations of one to six messages, an eighth of them unread, a sixth with attachments, spread over six years. The
summaries are those that `webmail.models.summaries` would compute (tested), so nothing has to be recomputed.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.bench.letters import Person, Writer

if TYPE_CHECKING:
    from accounts.models import MailAccount, User
    from webmail.models import Mailbox

SPAN = timedelta(days=6 * 365)
CHUNK = 5_000  # messages written in one go
SEEN, FLAGGED, ANSWERED = 1, 2, 4
STRUCTURE = (
    b'(("text" "plain" ("charset" "utf-8" "format" "flowed") NIL NIL "quoted-printable" 2143 57 NIL NIL NIL NIL)'
    b'("text" "html" ("charset" "utf-8") NIL NIL "quoted-printable" 9420 212 NIL NIL NIL NIL)'
    b' "alternative" ("boundary" "=_5f2c9a1e7b") NIL NIL NIL)'
)


@dataclass(slots=True)
class Letter:
    """A message on its way into its row; `body` is what is known of its text, for the index."""

    sender: Person
    subject: str
    at: datetime
    flags: int
    attachment: bool
    invite: bool
    snippet: str
    body: str
    message_id: str
    references: list[str]
    pk: int = 0


@dataclass(slots=True)
class Conversation:
    """Letters in order of time, and the numbers their rows get."""

    letters: list[Letter] = field(default_factory=list)
    pk: int = 0


@dataclass(frozen=True, slots=True)
class Filled:
    """What was written."""

    user: User
    account: MailAccount
    inbox: Mailbox
    messages: int
    conversations: int


def somebody(address: str = "reader@harbourlane.example") -> tuple[User, MailAccount]:
    """A person with an account that is up to date and is not due again."""
    from django.utils import timezone

    from accounts.models import MailAccount, MailServer, Organisation, User
    from accounts.services.provisioning import ServerChoice, add_account

    organisation, _ = Organisation.objects.get_or_create(name="Harbour Lane")
    user = User(email=address, name="Rowan Reader", organisation=organisation, last_seen_at=timezone.now())
    user.set_unusable_password()
    user.save()
    choice = ServerChoice("imap", "mail.example", 993)
    submission = ServerChoice(MailServer.Protocol.SMTP, "mail.example", 465)
    account = add_account(
        user, protocol="imap", address=address, password="x", incoming=choice, outgoing=submission, label="Harbour"
    )
    now = timezone.now()
    MailAccount.objects.filter(pk=account.pk).update(
        state=MailAccount.State.WORKING, last_sync_at=now, next_run_at=now + timedelta(days=1)
    )
    account.refresh_from_db()
    return user, account


def folders(account: MailAccount) -> Mailbox:
    """INBOX, returned, and the folders that a usual account has beside it."""
    from webmail.models import Mailbox

    def make(name: str, role: str) -> Mailbox:
        return Mailbox.objects.create(
            account=account,
            wire_name=name.encode(),
            name=name,
            delimiter="/",
            role=role,
            phase=Mailbox.Phase.LIVE,
            uidvalidity=1,
            uidnext=1,
            backfill_low=1,
        )

    inbox = make("INBOX", "inbox")
    for role in ("drafts", "sent", "archive", "junk", "trash"):
        make(role.title(), role)
    for name in ("Clients", "Clients/Pier 4", "Clients/Shop", "Receipts", "Travel", "Newsletters"):
        make(name, "")
    return inbox


def fill(messages: int = 100_000, *, seed: int = 1, bodies: float = 0.2) -> Filled:
    """Somebody with so many messages in INBOX; `bodies` is the share whose text is in the search index."""
    from django.utils import timezone

    user, account = somebody()
    inbox = folders(account)
    writer = Writer(seed)
    count = conversations = unread = 0
    for chunk in _chunks(_conversations(writer, messages, timezone.now(), bodies)):
        _write(account, inbox, chunk, first_uid=count + 1)
        count += sum(len(one.letters) for one in chunk)
        conversations += len(chunk)
        unread += sum(not letter.flags & SEEN for one in chunk for letter in one.letters)
    inbox.total = inbox.exists_count = count
    inbox.unread, inbox.uidnext, inbox.verified_high = unread, count + 1, count
    inbox.save()
    _settle()
    return Filled(user, account, inbox, count, conversations)


def _settle() -> None:
    """What autovacuum does in its own time: statistics, visibility, and the index's waiting list worked off."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _conversations(writer: Writer, messages: int, now: datetime, bodies: float) -> Iterator[Conversation]:
    """Oldest first, each within a few days; together exactly so many messages, the last of them minutes ago."""
    sizes = (1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6)
    begin, step = now - SPAN, (SPAN - timedelta(minutes=5)) / messages
    made = 0
    while made < messages:
        size = min(writer.random.choice(sizes), messages - made)
        latest = now - timedelta(minutes=4)
        yield _conversation(writer, size, begin + step * made, latest, bodies)
        made += size


def _conversation(writer: Writer, size: int, at: datetime, latest: datetime, bodies: float) -> Conversation:
    chance = writer.random.random
    people = [writer.sender() for _ in range(min(size, writer.random.choice((1, 2, 2, 3))))]
    subject = writer.subject()
    conversation = Conversation()
    references: list[str] = []
    for turn in range(size):
        message_id = f"{writer.random.getrandbits(64):016x}@{people[0].address.partition('@')[2]}"
        flags = SEEN if chance() > 0.125 else 0
        flags |= (FLAGGED if chance() < 0.03 else 0) | (ANSWERED if chance() < 0.2 else 0)
        conversation.letters.append(
            Letter(
                sender=people[turn % len(people)],
                subject=f"Re: {subject}" if turn else subject,
                at=at,
                flags=flags,
                attachment=chance() < 0.16,
                invite=chance() < 0.02,
                snippet=writer.text(12, 26).capitalize(),
                body=writer.text(40, 140) if chance() < bodies else "",
                message_id=message_id,
                references=references[-6:],
            )
        )
        references.append(message_id)
        at = min(at + timedelta(seconds=writer.random.expovariate(1 / 30_000)), latest + timedelta(seconds=turn))
    return conversation


def _chunks(conversations: Iterable[Conversation]) -> Iterator[list[Conversation]]:
    chunk: list[Conversation] = []
    held = 0
    for conversation in conversations:
        chunk.append(conversation)
        held += len(conversation.letters)
        if held >= CHUNK:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


def _write(account: MailAccount, inbox: Mailbox, chunk: Sequence[Conversation], *, first_uid: int) -> None:
    """A chunk into its six tables, in one transaction. UIDs follow the order of arrival within the chunk."""
    from django.db import transaction

    letters = sorted((letter for one in chunk for letter in one.letters), key=lambda letter: letter.at)
    with transaction.atomic():
        for letter, pk in zip(letters, _draw("webmail_message", len(letters)), strict=True):
            letter.pk = pk
        for conversation, pk in zip(chunk, _draw("webmail_thread", len(chunk)), strict=True):
            conversation.pk = pk
        thread_of = {letter.pk: one.pk for one in chunk for letter in one.letters}
        _copy(
            "webmail_thread (id, account_id, subject, newest_at, message_count, participants)",
            (
                (one.pk, account.pk, one.letters[0].subject, one.letters[-1].at, len(one.letters), participants(one))
                for one in chunk
            ),
        )
        _copy_messages(account, letters, thread_of)
        _copy(
            "webmail_placement (account_id, mailbox_id, gen, uid, message_id, thread_id, received_at, flags,"
            " server_flags, pending_mask, keywords, server_keywords, pending_keywords, state, problem)",
            (
                (
                    *(account.pk, inbox.pk, 1, uid, letter.pk, thread_of[letter.pk], letter.at),
                    *(letter.flags, letter.flags, 0, [], [], [], 0, ""),
                )
                for uid, letter in enumerate(letters, first_uid)
            ),
        )
        _copy(
            "webmail_mailboxthread (account_id, mailbox_id, thread_id, newest_at, newest_message_id, message_count,"
            " unread_count, flags_any, keywords, has_attachment, has_invite)",
            ((account.pk, inbox.pk, *line(one)) for one in chunk),
        )


def _copy_messages(account: MailAccount, letters: Sequence[Letter], thread_of: dict[int, int]) -> None:
    from webmail.models.search_document import document

    def people(letter: Letter) -> dict[str, list[list[str]]]:
        return {"from": [[letter.sender.name, letter.sender.address]], "to": [["Rowan Reader", account.address]]}

    _copy(
        'webmail_message (id, account_id, thread_id, fingerprint, email_id, message_id, in_reply_to, "references",'
        " subject, from_name, from_address, people, sent_at, received_at, size, snippet, has_attachment, has_invite,"
        " list_id, extra, structure)",
        (
            (
                *(letter.pk, account.pk, thread_of[letter.pk], uuid.UUID(int=letter.pk), "", letter.message_id),
                *((letter.references or [""])[-1], letter.references, letter.subject),
                *(letter.sender.name, letter.sender.address, json.dumps(people(letter), ensure_ascii=False)),
                *(letter.at, letter.at, 12_000 + 300_000 * letter.attachment, letter.snippet),
                *(letter.attachment, letter.invite, "", "{}", STRUCTURE),
            )
            for letter in letters
        ),
    )
    _copy(
        "webmail_messagesearch (message_id, account_id, received_at, document, with_body)",
        (
            (
                *(letter.pk, account.pk, letter.at),
                document(account.pk, letter.subject, people(letter), [letter.body]),
                bool(letter.body),
            )
            for letter in letters
        ),
    )


def participants(conversation: Conversation) -> str:
    """JSON of the first eight who wrote, each by the first name they gave."""
    names: dict[str, str] = {}
    for letter in conversation.letters:
        address = letter.sender.address.lower()
        names[address] = names.get(address) or letter.sender.name
    return json.dumps([[name, address] for address, name in names.items()][:8], ensure_ascii=False)


def line(conversation: Conversation) -> tuple[object, ...]:
    """The conversation's line in the mailbox, from thread_id to has_invite."""
    letters = conversation.letters
    newest = max(letters, key=lambda letter: (letter.at, letter.pk))
    flags = 0
    for letter in letters:
        flags |= letter.flags
    unread = sum(not letter.flags & SEEN for letter in letters)
    attachment, invite = any(letter.attachment for letter in letters), any(letter.invite for letter in letters)
    return (conversation.pk, newest.at, newest.pk, len(letters), unread, flags, [], attachment, invite)


def _draw(table: str, count: int) -> list[int]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [table, count])
        return [pk for (pk,) in cursor.fetchall()]


def _copy(target: str, rows: Iterable[Sequence[object]]) -> None:
    from django.db import connection

    with connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
