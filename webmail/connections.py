"""From an account's rows to a server one may talk to; the only place of the wire half that opens a credential."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from accounts.models import MailAccount, MailServer
from accounts.services import credentials
from webmail import budget
from webmail.budget import Busy, Slot, Use
from webmail.protocols import imap, pop3
from webmail.protocols.errors import AuthenticationFailed, TooManyConnections
from webmail.protocols.net import Credential, Endpoint, Secret

S = TypeVar("S", imap.Session, pop3.Session)


def endpoint(server: MailServer) -> Endpoint:
    """Where to dial. Raises HostNotAllowed. Only a server that an administrator named may lie on a private address."""
    return Endpoint(
        server.host,
        server.port,
        "starttls" if server.security == MailServer.Security.STARTTLS else "tls",
        allow_private=server.trusted,
        ca_pem=server.ca_certificates if server.trusted else "",
    )


def incoming_credential(account: MailAccount) -> Credential:
    """Who logs in. Raises AuthenticationFailed for a password no server could take, SealBroken."""
    return _credential(*credentials.incoming(account))


def outgoing_credential(account: MailAccount) -> Credential:
    """Who submits. Raises AuthenticationFailed, SealBroken."""
    return _credential(*credentials.outgoing(account))


def open_imap(account: MailAccount, use: Use = Use.SYNC) -> imap.Session:
    """A session within the account's and the host's budget. Raises MailServerError, Busy among it."""
    return _within_budget(account, use, lambda: imap.connect(endpoint(account.incoming), incoming_credential(account)))


def open_pop3(account: MailAccount) -> pop3.Session:
    """The same. Raises MailServerError."""
    return _within_budget(
        account, Use.SYNC, lambda: pop3.connect(endpoint(account.incoming), incoming_credential(account))
    )


@contextmanager
def place(account: MailAccount, use: Use) -> Iterator[Slot | None]:
    """A place in the budget while a connection is made; given back when that fails. Raises Busy.

    A refusal of the server is learnt from, and is Busy too when our own connections were its reason.
    """
    slot = budget.take(account, use)
    try:
        yield slot
    except TooManyConnections as error:
        budget.release(slot)
        if budget.learn(account, slot, error):
            raise Busy(error.server_line, retry_after=budget.BUSY_SECONDS) from None
        raise
    except BaseException:
        budget.release(slot)
        raise


def _within_budget(account: MailAccount, use: Use, connect: Callable[[], S]) -> S:
    with place(account, use) as slot:
        session = connect()
    session.ended = partial(budget.release, slot)
    return session


def _credential(username: str, password: str) -> Credential:
    try:
        return Credential(username, Secret(password))
    except ValueError:
        raise AuthenticationFailed from None
