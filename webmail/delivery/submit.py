"""One try at submitting an outgoing message (RFC 6409, 5321).

Invariants: a row is claimed, and the claim committed, before a connection is made; the phase is committed before each
irreversible step and every write names the claim, so a second worker changes nothing; the same bytes, Message-ID and
envelope leave at every try; once ``data_sent`` is committed and no reply was read the state is ``unknown``, and only a
person may send again.
"""

import logging
import time
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import BinaryIO, cast

from django.db import transaction
from django.utils import timezone

from accounts.crypto import SealBroken
from accounts.models import MailServer
from webmail import connections, live, storage
from webmail.jobs import Job, enqueue_on_commit
from webmail.models import Outgoing, OutgoingRecipient, frozen
from webmail.protocols import smtp
from webmail.protocols.errors import AuthenticationFailed, HostNotAllowed, MailServerError

from . import answered, kept, reminding, tries
from .backoff import next_try
from .tries import Acceptance, Verdict

log = logging.getLogger(__name__)
STALE_AFTER = timedelta(minutes=20)  # longer than the longest wait for a reply

State = Outgoing.State
FRESH = 60.0  # seconds for which a claim needs no other sign of life
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


def submit(outgoing_id: int) -> None:
    """Sends the message if it is due and nobody else does; every outcome is written to its row, none is raised."""
    claim = tries.claim(outgoing_id)
    claimed = tries.load(outgoing_id, claim) if claim is not None else None
    if claim is None or claimed is None:
        return
    outgoing, addresses = claimed
    try:
        submission = _speak(outgoing, claim, addresses)
    except ClaimLost:
        log.warning("outgoing %s: the claim was lost, left alone", outgoing_id)
    except smtp.OutcomeUnknown as error:
        _finish(outgoing, claim, Verdict(State.UNKNOWN, "unknown", error.server_line))
    except NotOwnAddress:
        _finish(outgoing, claim, Verdict(State.FAILED, "identity"))
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


def _after_death(outgoing: Outgoing) -> Verdict:
    if outgoing.phase == Outgoing.Phase.REPLIED and outgoing.recipients.count() == 1:
        return Verdict(State.SENT)
    if outgoing.phase in (Outgoing.Phase.DATA_SENT, Outgoing.Phase.REPLIED):
        return Verdict(State.UNKNOWN, "unknown")
    return Verdict(State.DEFERRED, "lost", again_at=timezone.now())


def _speak(outgoing: Outgoing, claim: uuid.UUID, addresses: list[str]) -> smtp.Submission:
    account = outgoing.account
    if account.outgoing is None:
        raise HostNotAllowed
    if outgoing.identity is not None and not outgoing.identity.is_usable:
        raise NotOwnAddress
    nobody = smtp.reaches_nobody(outgoing.envelope_from, addresses)
    if nobody is not None:
        return nobody
    server = connections.endpoint(account.outgoing)
    frozen.complete(outgoing)
    with storage.open_file(account.pk, outgoing.digest) as file:
        store = _Phases(outgoing.pk, claim)

        def speak(session: smtp.Session) -> smtp.Submission:
            file.seek(0)
            return session.submit(
                envelope_from=outgoing.envelope_from,
                recipients=addresses,
                data=cast(BinaryIO, file),
                size=outgoing.size,
                on_phase=store,
                wanted=_reports_wanted(outgoing),
            )

        return kept.with_session(account, server, speak)


def _reports_wanted(outgoing: Outgoing) -> smtp.ReportsWanted | None:
    """The Message-ID is the envelope's id too, so that a report names it even where the header did not come back."""
    if not outgoing.envelope_from:
        return None
    message_id = outgoing.message_id
    fits = message_id.isascii() and len(message_id) <= smtp.MOST_ENVELOPE_ID
    return smtp.ReportsWanted(message_id if fits else "", delivered=bool(outgoing.report))


@dataclass(slots=True)
class _Phases:
    """Commits each phase before the step that follows it.

    What comes before the end of the data leaves nothing behind when we die, so it is told only where it took so long
    that the claim could be thought a dead worker's.
    """

    outgoing_id: int
    claim: uuid.UUID
    told: float = field(default_factory=time.monotonic)

    def __call__(self, phase: smtp.Phase) -> None:
        if phase < smtp.Phase.DATA_SENT and time.monotonic() - self.told < FRESH:
            return
        if not tries.reach(self.outgoing_id, self.claim, _PHASES[phase]):
            raise ClaimLost
        self.told = time.monotonic()


def _judge(outgoing: Outgoing, error: Exception) -> Verdict:
    """What an error that left nothing behind means: again later, or a person has to look."""
    line = error.server_line if isinstance(error, MailServerError) else ""
    code = error.kind if isinstance(error, MailServerError) else "seal" if isinstance(error, SealBroken) else "storage"
    if isinstance(error, smtp.SubmissionFailed) and error.permanent:
        return Verdict(State.FAILED, "refused", line)
    if isinstance(error, AuthenticationFailed | HostNotAllowed | SealBroken):
        return Verdict(State.FAILED, code, line)
    asked = error.retry_after if isinstance(error, MailServerError) else None
    return _again_or_give_up(outgoing, code, line, asked=asked)


def _again_or_give_up(outgoing: Outgoing, code: str, line: str, *, asked: float | None = None) -> Verdict:
    again = next_try(timezone.now(), attempts=outgoing.attempts + 1, since=outgoing.due_at, asked=asked)
    return Verdict(State.DEFERRED if again else State.FAILED, code, line, again)


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
        verdict = Verdict(State.PARTIAL if some else State.FAILED, "refused", left["permanent"].reply)
    else:
        verdict = Verdict(State.PARTIAL if refused else State.SENT, "", submission.final_reply)
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
def _finish(outgoing: Outgoing, claim: uuid.UUID, verdict: Verdict, *, accepted: bool = False) -> bool:
    acceptance = None
    if (accepted or verdict.state == State.SENT) and outgoing.sent_at is None:
        now = timezone.now()
        acceptance = Acceptance(now, reminding.first_look(outgoing, now))
    if not tries.finish(outgoing, claim, verdict, acceptance):
        return False
    if acceptance is not None:
        if outgoing.filing == Outgoing.Filing.WAITING:
            enqueue_on_commit(Job.FILE_SENT, outgoing.pk)
        answered.mark(outgoing)
    live.publish_on_commit(outgoing.user_id, "outbox", outgoing=outgoing.pk, state=verdict.state)
    return True
