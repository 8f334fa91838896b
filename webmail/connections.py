"""From an account's rows to a server one may talk to; the only place of the wire half that opens a credential."""

from accounts.models import MailAccount, MailServer
from accounts.services import credentials
from webmail.protocols import imap, pop3
from webmail.protocols.errors import AuthenticationFailed
from webmail.protocols.net import Credential, Endpoint, Secret


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


def open_imap(account: MailAccount) -> imap.Session:
    """Raises MailServerError."""
    return imap.connect(endpoint(account.incoming), incoming_credential(account))


def open_pop3(account: MailAccount) -> pop3.Session:
    """Raises MailServerError."""
    return pop3.connect(endpoint(account.incoming), incoming_credential(account))


def _credential(username: str, password: str) -> Credential:
    try:
        return Credential(username, Secret(password))
    except ValueError:
        raise AuthenticationFailed from None
