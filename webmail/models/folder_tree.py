"""A folder with everything within it: renamed, hidden and shown again. Call inside a transaction."""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection

from webmail.mime.folder_names import below

from .mailbox import Mailbox
from .summaries import refresh_lines, refresh_threads

_LOCK = "SELECT id FROM webmail_placement WHERE mailbox_id = %s AND state = %s ORDER BY id FOR NO KEY UPDATE"
# Conversations are asked for as the rows are written: they may be joined, and mail moved, while rows are waited for.
_HIDE = """
UPDATE webmail_placement SET state = 1, gone_at = %s WHERE mailbox_id = %s AND state = 0 RETURNING thread_id
"""
_SHOW = """
UPDATE webmail_placement SET state = 0, gone_at = NULL WHERE mailbox_id = %s AND state = 1 AND gone_at = %s
RETURNING thread_id
"""


def within(rows: list[Mailbox], top: Mailbox) -> list[Mailbox]:
    """Those of an account's mailboxes that lie within this one, at any depth."""
    if not top.delimiter:
        return []
    prefix = bytes(top.wire_name) + top.delimiter.encode()
    return [row for row in rows if row.pk != top.pk and bytes(row.wire_name).startswith(prefix)]


def chosen(mailboxes: Iterable[Mailbox]) -> bool:
    """Whether somebody ever chose folders of this account: on many servers nothing but INBOX is subscribed."""
    return any(box.subscribed and not box.role and box.selectable for box in mailboxes)


def take_wire_name(account_id: int, old: bytes, new: bytes, delimiter: str) -> None:
    """Gives the folder, and all within it, their new identity. A row that is gone and still has the name gives way."""
    rows = list(Mailbox.objects.select_for_update().filter(account=account_id).order_by("pk"))
    renamed = {row.pk: below(bytes(row.wire_name), old, new, delimiter) for row in rows}
    moving = [row for row in rows if renamed[row.pk] != bytes(row.wire_name)]
    names = {renamed[row.pk] for row in moving}
    for row in rows:
        if row not in moving and bytes(row.wire_name) in names:
            aside = b"gone:%d:" % row.pk + bytes(row.wire_name)
            Mailbox.objects.filter(pk=row.pk).update(wire_name=aside, phase=Mailbox.Phase.GONE, role="")
    for row in moving:
        Mailbox.objects.filter(pk=row.pk).update(wire_name=renamed[row.pk])


def hide_mail(mailbox_id: int, at: datetime) -> None:
    """Takes the folder's mail from view; ``at`` marks it, so that exactly this comes back."""
    _turn(mailbox_id, 0, _HIDE, [at, mailbox_id])


def show_mail(mailbox_id: int, at: datetime) -> None:
    """Brings back what ``hide_mail`` took from view at that moment."""
    _turn(mailbox_id, 1, _SHOW, [mailbox_id, at])


def reappear(mailbox_id: int, kept: dict[str, str]) -> None:
    """Undoes a removal: the folder as ``kept`` describes it (phase, role, role_source, gone_at, gen), with its mail.

    It is looked at next, whatever STATUS says: a look that was under way may have come further than ``phase`` says, or
    begun another numbering.
    """
    columns = {name: kept[name] for name in ("phase", "role", "role_source")}
    row = Mailbox.objects.select_for_update(no_key=True).get(pk=mailbox_id)
    if kept.get("gen", str(row.gen)) != str(row.gen) and kept["phase"] != Mailbox.Phase.UNSELECTABLE:
        columns["phase"] = Mailbox.Phase.REMAP
    Mailbox.objects.filter(pk=mailbox_id).update(server_unseen=None, **columns)
    show_mail(mailbox_id, datetime.fromisoformat(kept["gone_at"]))


def _turn(mailbox_id: int, state: int, statement: str, values: list[datetime | int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [mailbox_id, state])
        cursor.execute(statement, values)
        threads = {row[0] for row in cursor.fetchall()}
    if threads:
        refresh_lines([mailbox_id], threads)
        refresh_threads(threads)
