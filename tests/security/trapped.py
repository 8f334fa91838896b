"""An account at servers that take its password and refuse it."""

import pytest

from accounts.models import MailAccount, MailServer
from accounts.services import credentials
from deploy.demo.tls import DemoCertificate
from tests import factories

from .secrets_seen import BEYOND_ASCII, PLAIN
from .trap import Trap

SECRETS = pytest.mark.parametrize("secret", [PLAIN, BEYOND_ASCII], ids=["plain", "beyond ascii"])


def account_at(
    traps: dict[str, Trap], certificates: DemoCertificate, secret: str, protocol: str = "imap"
) -> MailAccount:
    account = factories.account(factories.user("Maren"), protocol)
    account.incoming, account.outgoing = (
        MailServer.objects.create(
            protocol=name, host="localhost", port=traps[name].port, trusted=True, ca_certificates=certificates.ca_pem
        )
        for name in (protocol, "smtp")
    )
    account.save()
    credentials.store(account, password=secret)
    return account
