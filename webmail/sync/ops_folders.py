"""The commands of operations on folders; each returns what to write afterwards, as in ``ops_send``.

Invariants: a folder is named by its wire name, which other programs may have given to another one: nothing is renamed
or deleted before a look has shown that it is the one the person meant. A folder is deleted with the mail its owner
knew of, never with mail that came since or that was to be kept elsewhere and could not be brought there. RFC 9051
sections 6.3.4 to 6.3.8, RFC 8474.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from webmail.mime.folder_names import below, sibling
from webmail.models import Mailbox, Placement, RemoteOp
from webmail.protocols.errors import CommandFailed
from webmail.protocols.values import MAX_UID, Selected
from webmail.sync import ops_settle, plan
from webmail.sync.mailbox import known_of
from webmail.sync.ops_plan import COPY, MOVE, Batch
from webmail.sync.ops_resolve import ANOTHER_FOLDER, MAIL_LEFT_IN
from webmail.sync.run import Run

Settle = Callable[[], set[int]]


def create(run: Run, batch: Batch, source: Mailbox | None, _: Mailbox | None) -> Settle | None:
    """CREATE and SUBSCRIBE; that it exists already is as good."""
    assert source is not None
    name = bytes(source.wire_name)
    try:
        run.session.create(name)
    except CommandFailed as error:
        if error.code != "ALREADYEXISTS" and not _exists(run, name):
            raise
    run.session.subscribe(name)
    return partial(ops_settle.done, batch)


def rename(run: Run, batch: Batch, source: Mailbox | None, _: Mailbox | None) -> Settle | None:
    """RENAME to ``args["leaf"]`` at the same place, and the subscriptions, which servers do not take along."""
    assert source is not None
    old = bytes(source.wire_name)
    new = sibling(old, RemoteOp.objects.get(pk=batch.ids[0]).args["leaf"].encode("ascii"), source.delimiter)
    if not (batch.uncertain and not _exists(run, old) and _exists(run, new)):
        _look(run, source)
        run.session.rename(old, to=new)
    rows = list(Mailbox.objects.filter(account=source.account_id, subscribed=True).exclude(phase=Mailbox.Phase.GONE))
    for row in rows:
        name = bytes(row.wire_name)
        if (renamed := below(name, old, new, source.delimiter)) != name:
            _subscribed(run, renamed, wanted=True)
            _subscribed(run, name, wanted=False)
    return partial(ops_settle.renamed, batch, source, new)


def remove(run: Run, batch: Batch, source: Mailbox | None, _: Mailbox | None) -> Settle | None:
    """DELETE of a mailbox that holds nothing its owner did not know of; that it is gone already is as good."""
    assert source is not None
    name = bytes(source.wire_name)
    row = RemoteOp.objects.get(pk=batch.ids[0])
    args = row.args
    if _holds_mail(source, args):
        known = args.get("known") or {}
        if source.uidvalidity and known.get("gen", source.gen) != source.gen:  # met by a look that was under way
            raise CommandFailed(ANOTHER_FOLDER, permanent=True)
        if _refused_since(source, row):
            raise CommandFailed(MAIL_LEFT_IN, permanent=True)
        seen = _look(run, source)
        if seen is not None and _strangers(run, source, seen, known):
            raise CommandFailed("mail came into this folder after it was deleted here", permanent=True)
    if run.session.selected is not None:
        run.session.unselect()
    try:
        run.session.delete(name)
    except CommandFailed as error:
        if error.code != "NONEXISTENT" and _exists(run, name):
            raise
    _subscribed(run, name, wanted=False)
    return partial(ops_settle.mailbox_removed, batch, source)


def subscribe(run: Run, batch: Batch, source: Mailbox | None, _: Mailbox | None) -> Settle | None:
    """SUBSCRIBE or UNSUBSCRIBE, as the row says now."""
    assert source is not None
    name = bytes(source.wire_name)
    if source.subscribed:
        run.session.subscribe(name)
    else:
        run.session.unsubscribe(name)
    return partial(ops_settle.done, batch)


def _holds_mail(source: Mailbox, args: dict[str, Any]) -> bool:
    """Whether mail goes with it: not of a name that only holds others, nor of a label, without which mail stays."""
    return not source.label and args.get("kept", {}).get("phase") != Mailbox.Phase.UNSELECTABLE


def _refused_since(source: Mailbox, removal: RemoteOp) -> bool:
    """Whether mail is in the folder that its owner, when deleting it, believed to be elsewhere."""
    failed = RemoteOp.objects.filter(mailbox=source.pk, kind__in=[MOVE, COPY], state=RemoteOp.State.FAILED)
    return failed.filter(pk__lt=removal.pk, finished_at__gte=removal.created_at).exists()


def _look(run: Run, source: Mailbox) -> Selected | None:
    """Leaves the session with the mailbox unselected; how it was found, None when it is not there to be opened.

    Raises CommandFailed, for good, when another mailbox has the name now.
    """
    if run.session.selected is not None:
        run.session.unselect()
    try:
        seen = run.session.select(bytes(source.wire_name), read_only=True)
    except CommandFailed:
        return None  # what follows says what is the matter
    if plan.other(known_of(source), seen):
        run.session.unselect()
        raise CommandFailed(ANOTHER_FOLDER, permanent=True)
    return seen


def _strangers(run: Run, source: Mailbox, seen: Selected, known: dict[str, int]) -> bool:
    """Whether the selected mailbox holds mail beyond what its owner knew of and put there from here.

    ``known`` is as ``services.mailboxes`` recorded it. Between this look and the command lies one round trip.
    """
    since = known or {"uidnext": source.uidnext or 1, "exists": source.exists_count}
    if not seen.exists:
        return False
    if not seen.uidvalidity:  # its UIDs mean nothing
        return seen.exists > since["exists"]
    newer = set(run.session.search_uids(since["uidnext"], MAX_UID))
    return bool(newer - _put_there(source, newer))


def _put_there(source: Mailbox, uids: set[int]) -> set[int]:
    """Those UIDs that are of mail a person moved or copied there from here."""
    rows = dict(Placement.objects.filter(mailbox=source.pk, gen=source.gen, uid__in=uids).values_list("pk", "uid"))
    moves = RemoteOp.objects.filter(
        destination=source.pk, kind__in=[MOVE, COPY], state=RemoteOp.State.DONE, placements__overlap=list(rows)
    )
    ours = {pk for placements in moves.values_list("placements", flat=True) for pk in placements}
    return {uid for pk, uid in rows.items() if pk in ours and uid is not None}


def _subscribed(run: Run, name: bytes, *, wanted: bool) -> None:
    """A subscription that goes along with something that matters more; a refusal changes nothing."""
    try:
        (run.session.subscribe if wanted else run.session.unsubscribe)(name)
    except CommandFailed:
        return


def _exists(run: Run, name: bytes) -> bool:
    return any(box.wire_name == name for box in run.session.list_mailboxes())
