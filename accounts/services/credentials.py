"""The only place where a mail password is sealed or opened; callers hold the plain text as briefly as they can."""

import functools

from django.conf import settings

from accounts import crypto
from accounts.models import Credential, MailAccount


@functools.cache
def key_ring() -> crypto.KeyRing:
    """The keys of settings.KEY_SECRETS, the current one first; older ones still open what they sealed."""
    return crypto.KeyRing.of(*settings.KEY_SECRETS)


def store(account: MailAccount, *, password: str, outgoing_password: str = "", outgoing_username: str = "") -> None:
    """Seals the account's passwords under a new data key, replacing what was there."""
    ring = key_ring()
    data_key = crypto.new_data_key(ring, _place(account, "data_key"))
    Credential.objects.update_or_create(
        account=account,
        defaults={
            "data_key": data_key,
            "sealed": _seal(account, data_key, "sealed", password),
            "sealed_outgoing": _seal(account, data_key, "sealed_outgoing", outgoing_password),
            "outgoing_username": outgoing_username,
        },
    )


def incoming(account: MailAccount) -> tuple[str, str]:
    """User name and password for fetching; raises crypto.SealBroken when they do not open."""
    return account.username, _open(account, account.credential, "sealed")


def outgoing(account: MailAccount) -> tuple[str, str]:
    """User name and password for sending."""
    credential = account.credential
    name = credential.outgoing_username or account.username
    return name, _open(account, credential, "sealed_outgoing" if credential.sealed_outgoing else "sealed")


def _place(account: MailAccount, field: str) -> crypto.Place:
    return crypto.Place(
        table="accounts_credential", row=str(account.pk), field=field, tenant=str(account.organisation_id)
    )


def _seal(account: MailAccount, data_key: str, field: str, plain: str) -> str:
    if not plain:
        return ""
    ring = key_ring()
    key_place = _place(account, "data_key")
    return crypto.seal(ring, data_key, plain, _place(account, field), key_place=key_place)


def _open(account: MailAccount, credential: Credential, field: str) -> str:
    sealed: str = getattr(credential, field)
    key_place = _place(account, "data_key")
    return crypto.open_sealed(key_ring(), credential.data_key, sealed, _place(account, field), key_place=key_place)
