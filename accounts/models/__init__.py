"""Who uses Mailroom, and which mail accounts they read."""

from .audit import AuditEvent
from .card_server import CardServer
from .identity import Identity
from .mail_account import Credential, MailAccount
from .oauth import OAuthProvider
from .organisation import Organisation
from .server import MailServer
from .user import User

__all__ = [
    "AuditEvent",
    "CardServer",
    "Credential",
    "Identity",
    "MailAccount",
    "MailServer",
    "OAuthProvider",
    "Organisation",
    "User",
]
