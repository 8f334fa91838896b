"""One try at submitting an outgoing message (RFC 6409, 5321).

Invariants: a row is claimed, and the claim committed, before a connection is made; the phase is committed before each
irreversible step and every write names the claim, so a second worker changes nothing; the same bytes, Message-ID and
envelope leave at every try; once ``data_sent`` is committed and no reply was read the state is ``unknown``, and only a
person may send again.
"""

import logging
import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import BinaryIO, cast

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.crypto import SealBroken
from accounts.models import MailServer
from webmail import connections, live, storage
from webmail.jobs import Job, enqueue_on_commit
from webmail.models import Outgoing, OutgoingRecipient, frozen
from webmail.protocols import smtp
from webmail.protocols.errors import AuthenticationFailed, HostNotAllowed, MailServerError
from webmail.protocols.net import Credential

from . import answered, reminding, tries
from .backoff import next_try

log = logging.getLogger(__name__)
STALE_AFTER = timedelta(minutes=20)  # longer than the longest wait for a reply

State = Outgoing.State
_PHASES = {
    smtp.Phase.CONNECTED: Outgoing.Phase.CONNECTED,
    smtp.Phase.ENVELOPE: Outgoing.Phase.ENVELOPE,
    smtp.Phase.DATA_SENT: Outgoing.Phase.DATA_SENT,
    smtp.Phase.REPLIED: Outgoing.Phase.REPLIED,
}


class NotOwnAddress(Exception):
    """The writer gave the address up, after the message was handed over (security criterion S58)."""


class ClaimLost(Exception):
    """The row is no longer ours; nothing more may be done for it here."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    state: str
    code: str = ""
    line: str = ""
    again_at: datetime | None = None


def submit(outgoing_id: int) -> None:
    """Sends the message if it is due and nobody else does; every outcome is written to its row, none is raised."""
    outgoing = tries.load(outgoing_id)
    claim = tries.claim(outgoing) if outgoing is not None else None
    if outgoing is None or claim is None:
        return
    try:
        submission = _speak(outgoing, claim)
    except ClaimLost:
        log.warning("outgoing %s: the claim was lost, left alone", outgoing_id)
    except smtp.OutcomeUnknown as error:
        _finish(outgoing, claim, _Verdict(State.UNKNOWN, "unknown", error.server_line))
    except NotOwnAddress:
        _finish(outgoing, claim, _Verdict(State.FAILED, "identity"))
    except (MailServerError, SealBroken, OSError) as error:
        _finish(outgoing, claim, _judge(outgoing, error))
    else:
        _record(outgoing, claim, submission)


def recover(now: datetime | None = None) -> int:
    """Rows whose worker died: tried again if nothing can have left, else ``unknown`` or sent; how many there were."""
    stale = Outgoing.objects.filter(state=State.SENDING, claimed_at__lt=(now or timezone.now()) - STALE_AFTER)
    count = 0
    for outgoing in stale:
        verdict = _after_death(outgoing)
        if outgoing.claim and _finish(outgoing, outgoing.claim, verdict):
            if verdict.state == State.SENT:
                outgoing.recipients.update(state=OutgoingRecipient.State.ACCEPTED, decided_at=timezone.now())
            count += 1
    return count


def _after_death(outgoing: Outgoing) -> _Verdict:
    if outgoing.phase == Outgoing.Phase.REPLIED and outgoing.recipients.count() == 1:
        return _Verdict(State.SENT)
    if outgoing.phase in (Outgoing.Phase.DATA_SENT, Outgoing.Phase.REPLIED):
        return _Verdict(State.UNKNOWN, "unknown")
    return _Verdict(State.DEFERRED, "lost", again_at=timezone.now())


def _speak(outgoing: Outgoing, claim: uuid.UUID) -> smtp.Submission:
    account = outgoing.account
    if account.outgoing is None:
        raise HostNotAllowed
    if outgoing.identity is not None and not outgoing.identity.is_usable:
        raise NotOwnAddress
    addresses = tries.left(outgoing.pk)
    server = connections.endpoint(account.outgoing)
    frozen.complete(outgoing)
    with storage.open_file(account.pk, outgoing.digest) as file:

        def speak(credential: Credential) -> smtp.Submission:
            return smtp.submit(
                server,
                credential,
                envelope_from=outgoing.envelope_from,
                recipients=addresses,
                data=cast(BinaryIO, file),
                size=outgoing.size,
                on_phase=partial(_reach, outgoing, claim),
                helo_name=settings.MAILROOM["HELO_NAME"],
                wanted=_reports_wanted(outgoing),
            )

        return connections.log_in(account, connections.outgoing_credential, speak)


def _reports_wanted(outgoing: Outgoing) -> smtp.ReportsWanted | None:
    """The Message-ID is the envelope's id too, so that a report names it even where the header did not come back."""
    if not outgoing.envelope_from:
        return None
    message_id = outgoing.message_id
    fits = message_id.isascii() and len(message_id) <= smtp.MOST_ENVELOPE_ID
    return smtp.ReportsWanted(message_id if fits else "", delivered=bool(outgoing.report))


def _reach(outgoing: Outgoing, claim: uuid.UUID, phase: smtp.Phase) -> None:
    """Commits the phase before the step that follows it."""
    if not tries.reach(outgoing.pk, claim, _PHASES[phase]):
        raise ClaimLost


def _judge(outgoing: Outgoing, error: Exception) -> _Verdict:
    """What an error that left nothing behind means: again later, or a person has to look."""
    line = error.server_line if isinstance(error, MailServerError) else ""
    code = error.kind if isinstance(error, MailServerError) else "seal" if isinstance(error, SealBroken) else "storage"
    if isinstance(error, smtp.SubmissionFailed) and error.permanent:
        return _Verdict(State.FAILED, "refused", line)
    if isinstance(error, AuthenticationFailed | HostNotAllowed | SealBroken):
        return _Verdict(State.FAILED, code, line)
    asked = error.retry_after if isinstance(error, MailServerError) else None
    return _again_or_give_up(outgoing, code, line, asked=asked)


def _again_or_give_up(outgoing: Outgoing, code: str, line: str, *, asked: float | None = None) -> _Verdict:
    again = next_try(timezone.now(), attempts=outgoing.attempts + 1, since=outgoing.due_at, asked=asked)
    return _Verdict(State.DEFERRED if again else State.FAILED, code, line, again)


@transaction.atomic
def _record(outgoing: Outgoing, claim: uuid.UUID, submission: smtp.Submission) -> None:
    """Writes each recipient's outcome and what it makes of the whole."""
    some, refused = tries.note(outgoing.pk, submission.outcomes, submission.final_reply)
    left = {outcome.status: outcome for outcome in submission.outcomes}
    if "temporary" in left:
        verdict = _again_or_give_up(outgoing, "refused", left["temporary"].reply)
        if some and verdict.state == State.FAILED:
            verdict = replace(verdict, state=State.PARTIAL)
    elif "permanent" in left:
        verdict = _Verdict(State.PARTIAL if some else State.FAILED, "refused", left["permanent"].reply)
    else:
        verdict = _Verdict(State.PARTIAL if refused else State.SENT, "", submission.final_reply)
    if _finish(outgoing, claim, verdict, accepted="accepted" in left):
        _learn(outgoing, submission)


def _learn(outgoing: Outgoing, submission: smtp.Submission) -> None:
    """What the server told about itself on the way."""
    if outgoing.report and submission.final_code:
        told = Outgoing.Report.ASKED if submission.reports else Outgoing.Report.NOT_GIVEN
        Outgoing.objects.filter(pk=outgoing.pk).update(report=told)
    asked = submission.final_code or submission.size_limit is not None  # else perhaps nobody was: no address was valid
    server = outgoing.account.outgoing
    if asked and server is not None and server.message_limit != submission.size_limit:
        MailServer.objects.filter(pk=server.pk).update(message_limit=submission.size_limit)


@transaction.atomic(savepoint=False)
def _finish(outgoing: Outgoing, claim: uuid.UUID, verdict: _Verdict, *, accepted: bool = False) -> bool:
    now = timezone.now()
    accepted = accepted or verdict.state == State.SENT
    changed = Outgoing.objects.filter(pk=outgoing.pk, claim=claim).update(
        state=verdict.state,
        error_code=verdict.code[:40],
        server_line=verdict.line[:500],
        attempts=outgoing.attempts + 1,
        claim=None,
        claimed_at=None,
        **({"send_after": verdict.again_at} if verdict.again_at else {}),
        **(_on_acceptance(outgoing, now) if accepted and outgoing.sent_at is None else {}),
    )
    if not changed:
        return False
    if accepted and outgoing.sent_at is None:
        if outgoing.filing == Outgoing.Filing.WAITING:
            enqueue_on_commit(Job.FILE_SENT, outgoing.pk)
        answered.mark(outgoing)
    live.publish_on_commit(outgoing.user_id, "outbox", outgoing=outgoing.pk, state=verdict.state)
    return True


def _on_acceptance(outgoing: Outgoing, now: datetime) -> dict[str, datetime | None]:
    """What begins when the first recipient is accepted."""
    return {"sent_at": now, "filing_after": now, "remind_at": reminding.first_look(outgoing, now)}
