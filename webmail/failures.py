"""What a failure means for its account: a state, a code without words, and when to try again.

Invariants: a password that was refused three times, to whomever, is not tried again until it changes, since servers
lock accounts; an authorisation that was taken back is not tried again at all; what the server asked for in seconds is
honoured; everything else waits longer each time, with jitter so that a server that comes back is not met by everybody
at once.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from accounts.crypto import SealBroken
from accounts.models import Credential, MailAccount
from accounts.services import sync_state
from webmail.budget import Busy
from webmail.protocols.errors import (
    AuthenticationFailed,
    ConnectionLost,
    HostNotAllowed,
    MailServerError,
    Throttled,
    TlsFailed,
    TooManyConnections,
    Unreachable,
)
from webmail.protocols.oauth import AuthorisationWithdrawn, ClientRefused

State = MailAccount.State
MOST_REFUSED = 3
AUTH_RETRY = 15 * 60.0
DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The account's new state. ``code`` is translated where it is shown; ``server_line`` is the server's own words."""

    state: str
    code: str
    server_line: str
    after: timedelta


def judge(
    error: Exception, *, failures: int, refused_logins: int, jitter: Callable[[], float] = random.random
) -> Verdict:
    """The verdict on what ended with this error, after so many failures and refused logins before it. Pure."""
    line = error.server_line if isinstance(error, MailServerError) else ""
    state, seconds = _state_and_wait(error, failures=min(failures, 30), refused_logins=refused_logins)
    if not (isinstance(error, MailServerError) and error.retry_after):
        seconds *= 0.75 + 0.5 * jitter()
    return Verdict(state, _code(error), line, timedelta(seconds=seconds))


def note(account: MailAccount, error: Exception) -> Verdict:
    """Writes the verdict on the account, whose columns were read before the try. One on a password that has been
    replaced since is no verdict on the account.
    """
    verdict = judge(error, failures=account.failures, refused_logins=account.refused_logins)
    if isinstance(error, AuthenticationFailed) and _replaced(account):
        return verdict
    sync_state.fail(
        account.pk,
        state=verdict.state,
        code=verdict.code,
        server_line=verdict.server_line,
        next_run_at=timezone.now() + verdict.after,
    )
    return verdict


def _replaced(account: MailAccount) -> bool:
    """Whether the account has another credential by now than the one that was tried."""
    known: Credential | None = getattr(account, "credential", None)
    now = Credential.objects.filter(account=account.pk).values_list("changed_at", flat=True).first()
    return known is not None and now is not None and now != known.changed_at


def note_refusal(account: MailAccount, error: Exception) -> None:
    """For whoever connects besides the sync: a refused password and a wish to be left alone are the account's."""
    if isinstance(error, AuthenticationFailed | Throttled) and not isinstance(error, Busy):
        note(account, error)


def _code(error: Exception) -> str:
    if isinstance(error, TooManyConnections):
        return "connections"
    if isinstance(error, MailServerError):
        return error.kind
    if isinstance(error, OSError):
        return "storage"  # what sockets raise is a MailServerError by now
    return "seal" if isinstance(error, SealBroken) else "internal"


def _state_and_wait(error: Exception, *, failures: int, refused_logins: int) -> tuple[str, float]:
    if isinstance(error, AuthorisationWithdrawn):
        return State.PASSWORD_REFUSED, DAY
    if isinstance(error, ClientRefused):
        return State.FAILING, 3600.0
    if isinstance(error, AuthenticationFailed):
        refused = refused_logins + 1 >= MOST_REFUSED
        return (State.PASSWORD_REFUSED, DAY) if refused else (State.FAILING, AUTH_RETRY)
    if isinstance(error, Throttled):
        usual = 30.0 if isinstance(error, TooManyConnections) else 300.0
        return State.THROTTLED, error.retry_after or min(usual * 2**failures, 3600.0)
    if isinstance(error, Unreachable | ConnectionLost):
        return State.UNREACHABLE, min(4.0 * 1.5**failures, 300.0)
    if isinstance(error, TlsFailed | HostNotAllowed | SealBroken):
        return State.FAILING, 3600.0
    return State.FAILING, min(60.0 * 2**failures, 3600.0)
