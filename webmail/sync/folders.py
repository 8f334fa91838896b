"""Folders: what LIST says, laid over the rows.

Invariants: a mailbox is its MAILBOXID, else the bytes of its wire name, never what is displayed; a rename keeps the row
and everything in it; one mailbox for each role, the owner's own choice first; a mailbox is gone only after two
listings without it, and its mail is hidden, not deleted. RFC 9051 section 6.3.9, RFC 6154, RFC 8474.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils import timezone

from accounts.models import MailAccount
from webmail.models import Mailbox, RemoteOp
from webmail.models.cursors import FRESH_CURSORS
from webmail.protocols.imap_names import display_path, special_uses
from webmail.protocols.values import ListedMailbox, MailboxStatus
from webmail.sync import label_folders
from webmail.sync.lease import Lease, guarded
from webmail.sync.owed import folders as folders_owed
from webmail.sync.run import Run
from webmail.sync.vanish import hide_mailbox

Phase, Role, RoleSource = Mailbox.Phase, Mailbox.Role, Mailbox.RoleSource
MOST_COUNTED = 100  # new names asked one by one
_OPEN = [RemoteOp.State.QUEUED, RemoteOp.State.INFLIGHT]

LOCAL_FOLDERS = {
    Role.INBOX: "Inbox",
    Role.DRAFTS: "Drafts",
    Role.SENT: "Sent",
    Role.ARCHIVE: "Archive",
    Role.JUNK: "Spam",
    Role.TRASH: "Trash",
}


@dataclass(frozen=True, slots=True)
class Folder:
    """A mailbox to look at, with what the listing told of its counters."""

    row: Mailbox
    status: MailboxStatus | None


@dataclass(frozen=True, slots=True)
class Match:
    """Which row each listed mailbox is. ``displaced`` rows are no longer listed, and another mailbox has their name."""

    pairs: list[tuple[ListedMailbox, Mailbox | None]]
    missing: list[Mailbox]
    displaced: list[Mailbox]


def counted(run: Run, listed: list[ListedMailbox]) -> list[ListedMailbox]:
    """The listing with the counters of new names, where a known one is gone and they may tell where it went.

    Only needed on servers whose LIST gives no counters (without LIST-STATUS).
    """
    rows = Mailbox.objects.filter(account=run.account.pk).exclude(phase=Phase.GONE)
    known = {bytes(name) for name in rows.values_list("wire_name", flat=True)}
    new = [box for box in listed if box.wire_name not in known and box.selectable and box.status is None]
    if len(new) > MOST_COUNTED or not known - {box.wire_name for box in listed}:
        return listed
    counters = {box.wire_name: run.status(box.wire_name) for box in new}
    return [replace(box, status=box.status or counters.get(box.wire_name)) for box in listed]


def match(listed: Sequence[ListedMailbox], rows: Sequence[Mailbox]) -> Match:
    """Pairs listed mailboxes with rows by MAILBOXID, then by wire name, then by counters of a name that vanished.

    A name with another UIDVALIDITY, while a new name has the numbers that were here, is no match: it was given away.
    """
    by_id = {row.mailbox_id: row for row in rows if row.mailbox_id}
    by_name = {bytes(row.wire_name): row for row in rows}
    new = [box for box in listed if box.wire_name not in by_name]
    found: dict[bytes, Mailbox] = {}
    taken: set[int] = set()
    for box in listed:
        row = by_id.get(box.mailbox_id or "")
        if row is not None and row.pk not in taken:
            found[box.wire_name] = row
            taken.add(row.pk)
    for box in listed:
        row = by_name.get(box.wire_name)
        if box.wire_name in found or row is None or row.pk in taken or _gave_name_away(row, box, new):
            continue
        found[box.wire_name] = row
        taken.add(row.pk)
    left = [row for row in rows if row.pk not in taken]
    for box in listed:
        if box.wire_name not in found and (row := _renamed(box, left)) is not None:
            found[box.wire_name] = row
            left.remove(row)
    names = {box.wire_name for box in listed}
    return Match(
        [(box, found.get(box.wire_name)) for box in listed],
        [row for row in left if bytes(row.wire_name) not in names],
        [row for row in left if bytes(row.wire_name) in names],
    )


def _gave_name_away(row: Mailbox, box: ListedMailbox, new: Sequence[ListedMailbox]) -> bool:
    status = box.status
    if status is None or not row.uidvalidity or status.uidvalidity == row.uidvalidity:
        return False
    return sum(_renamed(other, [row]) is not None for other in new) == 1


def _renamed(box: ListedMailbox, left: Sequence[Mailbox]) -> Mailbox | None:
    """The one vanished row with this mailbox's numbers, on servers that give mailboxes no identity."""
    status = box.status
    if status is None or not status.uidvalidity or not status.messages or status.mailbox_id:
        return None
    numbers = (status.uidvalidity, status.uidnext, status.messages)
    same = [row for row in left if (row.uidvalidity, row.uidnext, row.exists_count) == numbers]
    return same[0] if len(same) == 1 else None


def assign_roles(pairs: Iterable[tuple[ListedMailbox, Mailbox | None]]) -> dict[bytes, tuple[str, str]]:
    """Wire name to (role, source), one mailbox for each role; what the owner chose stands."""
    pairs = list(pairs)
    roles: dict[bytes, tuple[str, str]] = {}
    for box, row in pairs:
        if row is not None and row.role_source == RoleSource.PERSON:
            roles[box.wire_name] = (row.role, RoleSource.PERSON)
    taken = {role for role, _ in roles.values() if role}
    for name, use in special_uses(box for box, _ in pairs).items():
        role = use if use in Role.values else ""
        if role and role not in taken and name not in roles:
            attributes = next(box.attributes for box, _ in pairs if box.wire_name == name)
            flagged = bool(attributes & {f"\\{role}", "\\spam", "\\allmail"}) or role == Role.INBOX
            roles[name] = (role, RoleSource.FLAG if flagged else RoleSource.NAME)
            taken.add(role)
    return roles


def reconcile(lease: Lease, listed: Sequence[ListedMailbox], *, extension: bool = False) -> tuple[list[Folder], bool]:
    """Brings the rows up to the listing; returns the mailboxes that can be selected, and whether anything changed.

    ``extension``: the server offers X-GM-EXT-1, so folders are labels if All Mail is there to carry them.
    """
    with guarded(lease):
        rows = list(Mailbox.objects.filter(account_id=lease.account_id).order_by("pk"))
        labelled = extension and label_folders.carried(listed, rows)
        found = match(listed, rows)
        owed = folders_owed(lease.account_id)
        roles = assign_roles(found.pairs)
        changed = bool(found.displaced)
        folders = []
        _make_way(found)
        for box, known in found.pairs:
            if known is not None and known.pk in owed.removed:
                _update(known, {"wire_name": box.wire_name})
                continue  # its owner deleted it; the server is told in a moment
            wanted = _columns(box, known, roles.get(box.wire_name, ("", "")), shown=owed.called(box.wire_name))
            wanted |= label_folders.columns(box, known, labelled=labelled)
            if known is not None and known.pk in owed.subscriptions:
                del wanted["subscribed"]
            row = known
            if row is None:
                row = Mailbox.objects.create(account_id=lease.account_id, **wanted)
                changed = True
            else:
                changed |= _update(row, wanted)
            if box.selectable:
                folders.append(Folder(row, box.status))
        changed |= _mark_missing(found.missing, listed)
    return folders, changed


def _make_way(found: Match) -> None:
    """Frees the names that another mailbox has now: names may have changed places, and each is held once."""
    moving = [row for box, row in found.pairs if row is not None and bytes(row.wire_name) != box.wire_name]
    for row in [*moving, *found.displaced]:
        row.wire_name = b"formerly:%d" % row.pk
        Mailbox.objects.filter(pk=row.pk).update(wire_name=row.wire_name)
    for row in found.displaced:
        Mailbox.objects.filter(pk=row.pk).update(phase=Phase.GONE, role="", role_source="")
        RemoteOp.objects.filter(mailbox=row, kind=RemoteOp.Kind.CREATE, state__in=_OPEN).delete()
        hide_mailbox(row.pk)


def _columns(box: ListedMailbox, row: Mailbox | None, role: tuple[str, str], *, shown: bytes) -> dict[str, Any]:
    """What the row should hold. ``shown`` is the wire name that people's renames lead to: theirs is the name read."""
    delimiter = (box.delimiter or "")[:1]
    columns: dict[str, Any] = {
        "wire_name": box.wire_name,
        "name": shown_name(shown, box.delimiter),
        "delimiter": delimiter,
        "attributes": sorted(attribute[:40] for attribute in box.attributes),
        "role": role[0],
        "role_source": role[1],
        "subscribed": box.subscribed,
        "missing_since": None,
    }
    if box.mailbox_id and not (row is not None and row.mailbox_id):  # another one is for the selection to confirm
        columns["mailbox_id"] = box.mailbox_id
    if not box.selectable:
        columns["phase"] = Phase.UNSELECTABLE
    elif row is not None and row.phase in (Phase.GONE, Phase.UNSELECTABLE):
        columns |= {"phase": Phase.NEW, **FRESH_CURSORS}
    return columns


def shown_name(wire_name: bytes, delimiter: str | None) -> str:
    """The name people read, its levels joined by the delimiter."""
    return ((delimiter or "")[:1] or "/").join(display_path(wire_name, delimiter))[:1000]


def _update(row: Mailbox, wanted: Mapping[str, Any]) -> bool:
    """Writes the columns that differ."""
    differing = {
        name: value
        for name, value in wanted.items()
        if (bytes(getattr(row, name)) if name == "wire_name" else getattr(row, name)) != value
    }
    for name, value in differing.items():
        setattr(row, name, value)
    if differing:
        Mailbox.objects.filter(pk=row.pk).update(**differing)
    return bool(differing.keys() - {"missing_since", "attributes", "mailbox_id"})


def _mark_missing(missing: Sequence[Mailbox], listed: Sequence[ListedMailbox]) -> bool:
    """First notes that a mailbox was not listed; the second time in a row it is gone."""
    if not listed:
        return False
    open_ops = RemoteOp.objects.filter(
        mailbox__in=[row.pk for row in missing],
        kind__in=[RemoteOp.Kind.CREATE, RemoteOp.Kind.RENAME],
        state__in=_OPEN,
    )
    waiting = set(open_ops.values_list("mailbox_id", flat=True))
    changed = False
    for row in missing:
        if row.pk in waiting or row.phase == Phase.GONE:
            continue
        if row.missing_since is None:
            Mailbox.objects.filter(pk=row.pk).update(missing_since=timezone.now())
        else:
            Mailbox.objects.filter(pk=row.pk).update(phase=Phase.GONE, role="", role_source="")
            label_folders.taken_off(row)
            hide_mailbox(row.pk)
            changed = True
    return changed


def ensure_local(account: MailAccount) -> dict[str, Mailbox]:
    """The folders of a POP3 account by role; they exist here only. Call inside ``guarded``."""
    rows = {row.role: row for row in Mailbox.objects.filter(account=account).exclude(phase=Phase.GONE)}
    for role, name in LOCAL_FOLDERS.items():
        if role not in rows:
            rows[role] = Mailbox.objects.get_or_create(
                account=account,
                wire_name=f"local:{role.value}".encode(),
                defaults={"name": name, "role": role, "role_source": RoleSource.NAME, "phase": Phase.LIVE},
            )[0]
    Mailbox.objects.filter(account=account, phase=Phase.NEW).update(phase=Phase.LIVE)
    return rows
