"""From an account's rows to a server one may talk to; the only place of the wire half that opens a credential."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol, TypeVar

from django.db.models import Q

from accounts.models import CardServer, MailAccount, MailServer
from accounts.services import credentials
from webmail import budget, tokens
from webmail.budget import Busy, Slot, Use
from webmail.protocols import carddav, dav, imap, pop3
from webmail.protocols.errors import AuthenticationFailed, TooManyConnections
from webmail.protocols.net import Credential, Endpoint, Secret

S = TypeVar("S", imap.Session, pop3.Session)
T = TypeVar("T")


class CredentialOf(Protocol):
    def __call__(self, account: MailAccount, *, refused: str = "") -> Credential: ...


def endpoint(server: MailServer) -> Endpoint:
    """Where to dial. Raises HostNotAllowed. Only a server that an administrator named may lie on a private address."""
    return Endpoint(
        server.host,
        server.port,
        "starttls" if server.security == MailServer.Security.STARTTLS else "tls",
        allow_private=server.trusted,
        ca_pem=server.ca_certificates if server.trusted else "",
    )


def incoming_credential(account: MailAccount, *, refused: str = "") -> Credential:
    """Who logs in; ``refused`` is a token the server no longer takes. Raises MailServerError, SealBroken.

    AuthenticationFailed stands for a password no server could take, too.
    """
    token = tokens.access(account, refused=refused)
    return _credential(*credentials.incoming(account)) if token is None else _by_token(account, token)


def outgoing_credential(account: MailAccount, *, refused: str = "") -> Credential:
    """Who submits. Raises MailServerError, SealBroken."""
    token = tokens.access(account, refused=refused)
    return _credential(*credentials.outgoing(account)) if token is None else _by_token(account, token)


def open_imap(account: MailAccount, use: Use = Use.SYNC) -> imap.Session:
    """A session within the account's and the host's budget. Raises MailServerError, Busy among it."""
    return _within_budget(account, use, partial(imap.connect, endpoint(account.incoming)))


def open_pop3(account: MailAccount) -> pop3.Session:
    """The same. Raises MailServerError."""
    return _within_budget(account, Use.SYNC, partial(pop3.connect, endpoint(account.incoming)))


@contextmanager
def open_cards(server: CardServer) -> Iterator[carddav.Client]:
    """A client of an address book server, which connects as it needs to. Raises MailServerError, SealBroken."""
    credential = _credential(server.username, credentials.card_password(server))
    with dav.Session(partial(_card_endpoint, server), credential) as session:
        yield carddav.Client(session)


def _card_endpoint(server: CardServer, host: str, port: int) -> Endpoint:
    """Public addresses on usual ports; others where an administrator named the server (CardDAV among mail servers)."""
    named = MailServer.objects.filter(
        Q(organisation=server.user.organisation_id) | Q(organisation=None),
        protocol=MailServer.Protocol.DAV,
        host=host,
        port=port,
        trusted=True,
    ).first()
    return (
        Endpoint(host, port, "tls")
        if named is None
        else Endpoint(host, port, "tls", allow_private=True, ca_pem=named.ca_certificates)
    )


def card_places(server: CardServer) -> tuple[str, ...]:
    """Where to look for its address books: what an administrator named for the domain, else what was typed."""
    domain = server.address.rpartition("@")[2].strip().lower()
    named = MailServer.objects.filter(
        Q(organisation=server.user.organisation_id) | Q(organisation=None),
        protocol=MailServer.Protocol.DAV,
        domains__contains=[domain],
    ).first()
    if named is None:
        return carddav.candidates(server.address)
    return carddav.candidates(f"https://{named.host}:{named.port}/")


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


def _within_budget(account: MailAccount, use: Use, connect: Callable[[Credential], S]) -> S:
    with place(account, use) as slot:
        session = log_in(account, incoming_credential, connect)
    session.ended = partial(budget.release, slot)
    return session


def log_in(account: MailAccount, credential_of: CredentialOf, work: Callable[[Credential], T]) -> T:
    """``work`` with the account's credential; a token that is refused although it should last is replaced, once."""
    credential = credential_of(account)
    try:
        return work(credential)
    except AuthenticationFailed:
        if credential.mechanism != "oauth":
            raise
    return work(credential_of(account, refused=credential.secret.reveal()))


def _by_token(account: MailAccount, token: Secret) -> Credential:
    return Credential(account.username, token, "oauth")


def _credential(username: str, password: str) -> Credential:
    try:
        return Credential(username, Secret(password))
    except ValueError:
        raise AuthenticationFailed from None
