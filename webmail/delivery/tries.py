"""The statements that every try at a message makes. Plain ones: with thousands waiting, building them by the ORM took
most of the time of the worker.

Invariant: what writes names the claim, or is what takes it; its conditions are on its own table alone, since behind a
join they would be judged before the row is locked, and two could claim.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from accounts.models import Credential, Identity, MailAccount, MailServer, User
from webmail.models import Outgoing, OutgoingRecipient
from webmail.protocols.smtp import RecipientOutcome
from webmail.queries.columns import Columns

_OUTGOING = Columns(Outgoing, "o")
_ACCOUNT = Columns(MailAccount, "a")
_USER = Columns(User, "u")
_SERVER = Columns(MailServer, "s")
_CREDENTIAL = Columns(Credential, "c")
_IDENTITY = Columns(Identity, "i")
_LOAD = f"""
SELECT {_OUTGOING.sql}, {_ACCOUNT.sql}, {_USER.sql}, {_SERVER.sql}, {_CREDENTIAL.sql}, {_IDENTITY.sql}
  FROM webmail_outgoing AS o JOIN accounts_mailaccount AS a ON a.id = o.account_id AND a.state <> 'suspended'
  JOIN accounts_organisation AS g ON g.id = a.organisation_id AND g.suspended_at IS NULL
  JOIN accounts_user AS u ON u.id = o.user_id AND u.is_active
  LEFT JOIN accounts_mailserver AS s ON s.id = a.outgoing_id LEFT JOIN accounts_credential AS c ON c.account_id = a.id
  LEFT JOIN accounts_identity AS i ON i.id = o.identity_id
 WHERE o.id = %s
"""  # noqa: S608  column names of our models
_CLAIM = """
UPDATE webmail_outgoing SET state = 'sending', phase = '', claim = %s, claimed_at = %s
 WHERE id = %s AND state IN ('queued', 'deferred') AND send_after <= %s AND claim IS NULL
RETURNING attempts, sent_at, due_at
"""
_REACH = "UPDATE webmail_outgoing SET phase = %s, claimed_at = %s WHERE id = %s AND claim = %s"
_LEFT = """
SELECT address FROM webmail_outgoingrecipient WHERE outgoing_id = %s AND state IN ('waiting', 'deferred') ORDER BY id
"""
_OUTCOMES = """
UPDATE webmail_outgoingrecipient AS r SET state = said.state, code = said.code, reply = said.reply, decided_at = %s
  FROM unnest(%s::text[], %s::text[], %s::smallint[], %s::text[]) AS said (address, state, code, reply)
 WHERE r.outgoing_id = %s AND r.address = said.address
"""
_TOLD = """
SELECT coalesce(bool_or(state = 'accepted'), false), coalesce(bool_or(state = 'refused'), false)
  FROM webmail_outgoingrecipient WHERE outgoing_id = %s
"""
_STATES = {
    "accepted": OutgoingRecipient.State.ACCEPTED,
    "temporary": OutgoingRecipient.State.DEFERRED,
    "permanent": OutgoingRecipient.State.REFUSED,
}


def load(outgoing_id: int) -> Outgoing | None:
    """The message with its account, server, credential, writer and identity; None where nothing may be sent now."""
    with connection.cursor() as cursor:
        cursor.execute(_LOAD, [outgoing_id])
        row = cursor.fetchone()
    if row is None:
        return None
    values = iter(row)
    outgoing, account, user = _OUTGOING.take(values), _ACCOUNT.take(values), _USER.take(values)
    account.outgoing = _SERVER.take_joined(values)
    credential = _CREDENTIAL.take_joined(values)
    if credential is not None:
        account.credential = credential
    outgoing.account, outgoing.user, outgoing.identity = account, user, _IDENTITY.take_joined(values)
    return outgoing


def claim(outgoing: Outgoing) -> uuid.UUID | None:
    """The claim, committed, with what others may have changed meanwhile in the object; None when it is not for us."""
    now, made = timezone.now(), uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [made, now, outgoing.pk, now])
        row: tuple[int, datetime | None, datetime] | None = cursor.fetchone()
    if row is None:
        return None
    outgoing.attempts, outgoing.sent_at, outgoing.due_at = row
    return made


def reach(outgoing_id: int, claim: uuid.UUID, phase: str) -> bool:
    """Commits the phase; False when the claim is no longer ours."""
    with connection.cursor() as cursor:
        cursor.execute(_REACH, [phase, timezone.now(), outgoing_id, claim])
        return bool(cursor.rowcount)


def left(outgoing_id: int) -> list[str]:
    """Who is still to get it."""
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, [outgoing_id])
        return [address for (address,) in cursor.fetchall()]


def note(outgoing_id: int, outcomes: Sequence[RecipientOutcome], final_reply: str) -> tuple[bool, bool]:
    """Writes what became of each recipient; whether some have it now, and whether some never will."""
    replies = [(final_reply if one.status == "accepted" else one.reply)[:500] for one in outcomes]
    columns: list[list[Any]] = [
        [one.address for one in outcomes],
        [str(_STATES[one.status]) for one in outcomes],
        [one.code or None for one in outcomes],
        replies,
    ]
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOMES, [timezone.now(), *columns, outgoing_id])
        cursor.execute(_TOLD, [outgoing_id])
        accepted, refused = cursor.fetchone() or (False, False)
    return accepted, refused
