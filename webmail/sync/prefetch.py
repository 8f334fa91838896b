"""Brings what a person will most likely open next: the inbox's newest snippets and bodies.

Invariants: runs last in a pass and yields to a wake-up and to the end of the time slice; an inbox that has not changed
for a while costs no command; a message that cannot be read costs itself only; nothing large is brought unasked.
"""

import logging
from collections.abc import Iterator
from datetime import timedelta

from webmail.mime.structure import Part, parse_bodystructure
from webmail.models import Flag, Mailbox, Message, MessageBody, Placement, label_views
from webmail.protocols.errors import CommandFailed
from webmail.sync.bodies import load
from webmail.sync.content import first_text, octets_packed, snippet_of
from webmail.sync.lease import guarded
from webmail.sync.run import Run

log = logging.getLogger(__name__)
SOON = timedelta(minutes=10)  # what could not be brought by then waits for the inbox's next change
NEWEST = 50
BODIES = 20
SNIPPET_BYTES = 4096
LARGEST_TEXT = 64 * 1024


def prefetch(run: Run) -> None:
    """Snippets of the inbox's newest fifty, bodies of its newest twenty and newest unread. Raises MailServerError."""
    box = Mailbox.objects.filter(account=run.account.pk, role=Mailbox.Role.INBOX, phase__in=["initial", "live"]).first()
    if box is None or box.last_sync_at is None or run.now - box.last_sync_at > SOON:
        return
    home = label_views.home_of(run.account.pk) if box.label else box
    if home is None:
        return
    lying = Placement.objects.filter(mailbox=home.pk, gen=home.gen, state=Placement.State.LIVE, uid__isnull=False)
    shown = lying.filter(views__mailbox=box) if box.label else lying
    newest = list(shown.select_related("message").order_by("-received_at")[:NEWEST])
    lacking = _lacking(newest)
    if not lacking:
        return
    try:
        selected = run.session.select(bytes(home.wire_name), read_only=True)
    except CommandFailed:
        return
    if selected.uidvalidity != home.uidvalidity:
        return
    if _snippets(run, [row for row in lacking if not row.message.snippet]):
        run.tell(box.pk)
    _bodies(run, lacking, newest)


def _lacking(newest: list[Placement]) -> list[Placement]:
    """Those whose body is not here yet."""
    here = set(
        MessageBody.objects.filter(message__in=[row.message_id for row in newest])
        .exclude(state=MessageBody.State.WANTED)
        .values_list("message_id", flat=True)
    )
    return [row for row in newest if row.message_id not in here]


def _snippets(run: Run, rows: list[Placement]) -> bool:
    """The first octets of each text, one command for messages of one shape."""
    texts: dict[int, tuple[Message, Part]] = {}
    for row in rows:
        root = parse_bodystructure(bytes(row.message.structure))
        part = first_text(root) if root is not None else None
        if part is not None and row.uid is not None:
            texts[row.uid] = (row.message, part)
    found = {}
    for uid, encoded in run.session.fetch_sections(
        {uid: part.path for uid, (_, part) in texts.items()}, first_bytes=SNIPPET_BYTES
    ):
        message, part = texts[uid]
        text = snippet_of(part, encoded)
        if text:
            message.snippet = found[message.pk] = text
    with guarded(run.lease):
        for pk, text in found.items():
            Message.objects.filter(pk=pk, snippet="").update(snippet=text)
    return bool(found)


def _bodies(run: Run, lacking: list[Placement], newest: list[Placement]) -> None:
    for row in _likely(lacking, newest):
        if run.over or run.clock() > run.slice_ends:
            return
        assert row.uid is not None
        try:
            row.message.account = run.account
            load(run.session, row.message, row.uid)
        except CommandFailed as error:
            log.info("message %s not brought ahead: %s", row.message_id, error.kind)


def _likely(lacking: list[Placement], newest: list[Placement]) -> Iterator[Placement]:
    """The newest twenty and the unread among the newest fifty, as far as what has to be read of them is small.

    A calendar alone counts as a text: it may call off what an older message invites to.
    """
    first = {row.pk for row in newest[:BODIES]}
    for row in lacking:
        if row.pk in first or not row.flags & Flag.SEEN:
            root = parse_bodystructure(bytes(row.message.structure))
            part = first_text(root) if root is not None else None
            if root is None or (part is None and not row.message.has_invite):
                continue
            if max(part.size if part is not None else 0, octets_packed(root)) <= LARGEST_TEXT:
                yield row
