"""Access tokens of accounts that sign in by OAuth: the one held, or a new one.

Invariants: one worker at a time asks the authorisation server for an account (refresh tokens may work only once), the
others wait for what it gets; a token is replaced before it ends, or at once when a mail server refused it;
no transaction is open while the server is asked.
"""

import time

from django.utils import timezone

from accounts.models import MailAccount
from accounts.services import credentials
from accounts.services.credentials import Grant
from webmail.protocols import oauth
from webmail.protocols.errors import Throttled
from webmail.protocols.net import Secret
from webmail.protocols.oauth import AuthorisationWithdrawn

CLAIM_SECONDS = 40.0
WAIT_SECONDS = 15.0
_LOOK_SECONDS = 0.2


def access(account: MailAccount, *, refused: str = "") -> Secret | None:
    """A token to log in with, other than ``refused``; None for an account with a password.

    Raises MailServerError (AuthorisationWithdrawn when only its person can help), SealBroken.
    """
    ends = time.monotonic() + WAIT_SECONDS
    while (held := credentials.grant(account)) is not None:
        if held.access and held.access != refused and _lasts(held):
            return Secret(held.access)
        if credentials.claim_token(account, CLAIM_SECONDS):
            return _renewed(account, refused)
        if time.monotonic() > ends:
            raise Throttled("a new token is being asked for", retry_after=30.0)
        time.sleep(_LOOK_SECONDS)
    return None


def _lasts(held: Grant) -> bool:
    return held.renew_at is not None and held.renew_at > timezone.now()


def _renewed(account: MailAccount, refused: str) -> Secret:
    try:
        held = credentials.grant(account)  # another worker may have been quicker
        assert held is not None  # claimed, so it is there
        if held.access and held.access != refused and _lasts(held):
            return Secret(held.access)
        found = oauth.ask(held.provider.token_url, _form(held), ca_pem=held.provider.ca_certificates)
        refresh = found.refresh.reveal() if found.refresh else ""
        credentials.store_tokens(account, access=found.access.reveal(), refresh=refresh, seconds=found.seconds)
        return found.access
    finally:
        credentials.free_token(account)


def _form(held: Grant) -> dict[str, str]:
    form = {"client_id": held.provider.client_id}
    if secret := credentials.client_secret(held.provider):
        form["client_secret"] = secret
    if held.code:
        return form | {"grant_type": "authorization_code"} | held.code
    if not held.refresh:
        raise AuthorisationWithdrawn("there is nothing to renew the sign-in with")
    return form | {"grant_type": "refresh_token", "refresh_token": held.refresh}
