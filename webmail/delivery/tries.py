"""The statements that every try at a message makes. Plain ones: with thousands waiting, building them by the ORM took
most of the time of the worker.

Invariant: what writes names the claim, or is what takes it; that a row waits and is nobody's is asked of the row that
is written, since behind a join it would be judged before the row is locked, and two could claim. Whether its account
and writer may send is asked beside it.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
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
_CLAIM = """
UPDATE webmail_outgoing AS o SET state = 'sending', phase = '', claim = %s, claimed_at = %s
 WHERE o.id = %s AND o.state IN ('queued', 'deferred') AND o.send_after <= %s AND o.claim IS NULL
   AND EXISTS (SELECT FROM accounts_mailaccount AS a JOIN accounts_organisation AS g ON g.id = a.organisation_id
                WHERE a.id = o.account_id AND a.state <> 'suspended' AND g.suspended_at IS NULL)
   AND EXISTS (SELECT FROM accounts_user AS u WHERE u.id = o.user_id AND u.is_active)
"""
_LOAD = f"""
SELECT {_OUTGOING.sql}, {_ACCOUNT.sql}, {_USER.sql}, {_SERVER.sql}, {_CREDENTIAL.sql}, {_IDENTITY.sql},
       ARRAY(SELECT r.address FROM webmail_outgoingrecipient AS r
              WHERE r.outgoing_id = o.id AND r.state IN ('waiting', 'deferred') ORDER BY r.id)
  FROM webmail_outgoing AS o JOIN accounts_mailaccount AS a ON a.id = o.account_id
  JOIN accounts_user AS u ON u.id = o.user_id
  LEFT JOIN accounts_mailserver AS s ON s.id = a.outgoing_id LEFT JOIN accounts_credential AS c ON c.account_id = a.id
  LEFT JOIN accounts_identity AS i ON i.id = o.identity_id
 WHERE o.id = %s AND o.claim = %s
"""  # noqa: S608  column names of our models
_REACH = "UPDATE webmail_outgoing SET phase = %s, claimed_at = %s WHERE id = %s AND claim = %s"
_OUTCOMES = """
WITH told AS (
  UPDATE webmail_outgoingrecipient AS r SET state = said.state, code = said.code, reply = said.reply, decided_at = %s
    FROM unnest(%s::text[], %s::text[], %s::smallint[], %s::text[]) AS said (address, state, code, reply)
   WHERE r.outgoing_id = %s AND r.address = said.address
  RETURNING r.id, r.state
), now AS (
  SELECT coalesce(told.state, r.state) AS state
    FROM webmail_outgoingrecipient AS r LEFT JOIN told ON told.id = r.id WHERE r.outgoing_id = %s
)
SELECT coalesce(bool_or(state = 'accepted'), false), coalesce(bool_or(state = 'refused'), false) FROM now
"""
_FINISH = """
UPDATE webmail_outgoing SET state = %s, error_code = %s, server_line = %s, attempts = %s, claim = NULL,
       claimed_at = NULL, send_after = coalesce(%s, send_after), sent_at = coalesce(%s, sent_at),
       filing_after = coalesce(%s, filing_after), remind_at = coalesce(%s, remind_at)
 WHERE id = %s AND claim = %s
"""
_STATES = {
    "accepted": OutgoingRecipient.State.ACCEPTED,
    "temporary": OutgoingRecipient.State.DEFERRED,
    "permanent": OutgoingRecipient.State.REFUSED,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a try. `again_at` is when the next one is due."""

    state: str
    code: str = ""
    line: str = ""
    again_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The moment the first recipient was accepted, and what begins with it."""

    sent_at: datetime
    remind_at: datetime | None


def claim(outgoing_id: int) -> uuid.UUID | None:
    """The claim, committed; None when it is not for us, or nothing may be sent by this person or account now."""
    now, made = timezone.now(), uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [made, now, outgoing_id, now])
        return made if cursor.rowcount else None


def load(outgoing_id: int, claim: uuid.UUID) -> tuple[Outgoing, list[str]] | None:
    """What is claimed, with its account, server, credential, writer and identity, and who is still to get it.

    None when the claim is no longer ours.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOAD, [outgoing_id, claim])
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
    return outgoing, next(values)


def reach(outgoing_id: int, claim: uuid.UUID, phase: str) -> bool:
    """Commits the phase; False when the claim is no longer ours."""
    with connection.cursor() as cursor:
        cursor.execute(_REACH, [phase, timezone.now(), outgoing_id, claim])
        return bool(cursor.rowcount)


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
        cursor.execute(_OUTCOMES, [timezone.now(), *columns, outgoing_id, outgoing_id])
        accepted, refused = cursor.fetchone() or (False, False)
    return accepted, refused


def finish(outgoing: Outgoing, claim: uuid.UUID, verdict: Verdict, acceptance: Acceptance | None) -> bool:
    """Writes how the try ended and gives the claim up; False when it is no longer ours."""
    sent_at, remind_at = (acceptance.sent_at, acceptance.remind_at) if acceptance else (None, None)
    words = (verdict.state, verdict.code[:40], verdict.line[:500], outgoing.attempts + 1)
    times = (verdict.again_at, sent_at, sent_at, remind_at)
    with connection.cursor() as cursor:
        cursor.execute(_FINISH, (*words, *times, outgoing.pk, claim))
        return bool(cursor.rowcount)
