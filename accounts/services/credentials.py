"""The only place where a mail password or token is sealed or opened; callers hold the text as briefly as they can."""

import functools
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from accounts import crypto
from accounts.models import CardServer, Credential, MailAccount, OAuthProvider

RENEW_EARLY = 600  # seconds before its end that a token is replaced; some servers refuse one that ends soon
_NO_TOKENS: dict[str, Any] = {
    "provider": None,
    "sealed_code": "",
    "sealed_access": "",
    "renew_token_at": None,
    "token_claimed_until": None,
}


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
            **_NO_TOKENS,
        },
    )


def store_code(account: MailAccount, provider: OAuthProvider, grant: dict[str, str]) -> None:
    """Seals what an authorisation server gave the person's browser; a worker exchanges it for tokens."""
    data_key = crypto.new_data_key(key_ring(), _place(account, "data_key"))
    fresh = _NO_TOKENS | {"provider": provider, "sealed": "", "sealed_outgoing": "", "outgoing_username": ""}
    sealed = {"data_key": data_key, "sealed_code": _seal(account, data_key, "sealed_code", json.dumps(grant))}
    Credential.objects.update_or_create(account=account, defaults=fresh | sealed)


@dataclass(frozen=True, slots=True, repr=False)
class Grant:
    """What is held for an account that signs in by OAuth; empty strings for what is not."""

    provider: OAuthProvider
    access: str
    renew_at: datetime | None
    refresh: str
    code: dict[str, str]


def grant(account: MailAccount) -> Grant | None:
    """The account's tokens as they are now; None for an account with a password. Raises crypto.SealBroken."""
    loaded = account._state.fields_cache.get("credential")
    if loaded is not None and loaded.provider_id is None:
        return None
    held = Credential.objects.select_related("provider").filter(account=account.pk, provider__isnull=False).first()
    if held is None or held.provider is None:
        return None
    code = _open(account, held, "sealed_code") if held.sealed_code else "{}"
    return Grant(
        provider=held.provider,
        access=_open(account, held, "sealed_access") if held.sealed_access else "",
        renew_at=held.renew_token_at,
        refresh=_open(account, held, "sealed") if held.sealed else "",
        code=json.loads(code),
    )


def claim_token(account: MailAccount, seconds: float) -> bool:
    """Whether the caller is the one to ask for a new token within the next seconds."""
    now = timezone.now()
    free = Q(token_claimed_until=None) | Q(token_claimed_until__lt=now)
    claimed = Credential.objects.filter(free, account=account.pk)
    return bool(claimed.update(token_claimed_until=now + timedelta(seconds=seconds)))


def free_token(account: MailAccount) -> None:
    Credential.objects.filter(account=account.pk).update(token_claimed_until=None)


def store_tokens(account: MailAccount, *, access: str, refresh: str, seconds: int) -> None:
    """Seals what the token endpoint gave. ``changed_at`` stays: open connections go on with what they logged in by."""
    held = Credential.objects.get(account=account.pk)
    columns = {
        "sealed_access": _seal(account, held.data_key, "sealed_access", access),
        "renew_token_at": timezone.now() + timedelta(seconds=max(seconds - RENEW_EARLY, seconds / 2)),
        "sealed_code": "",
    }
    if refresh:
        columns["sealed"] = _seal(account, held.data_key, "sealed", refresh)
    Credential.objects.filter(account=account.pk, data_key=held.data_key).update(**columns)


def store_client_secret(provider: OAuthProvider, secret: str) -> None:
    """Seals this installation's secret at the provider, on the row given; the caller saves it."""
    ring, key_place = key_ring(), _provider_place(provider, "data_key")
    provider.data_key = crypto.new_data_key(ring, key_place)
    place = _provider_place(provider, "sealed_secret")
    provider.sealed_secret = crypto.seal(ring, provider.data_key, secret, place, key_place=key_place)


def client_secret(provider: OAuthProvider) -> str:
    """ "" for a public client. Raises crypto.SealBroken."""
    if not provider.sealed_secret:
        return ""
    place, key_place = _provider_place(provider, "sealed_secret"), _provider_place(provider, "data_key")
    return crypto.open_sealed(key_ring(), provider.data_key, provider.sealed_secret, place, key_place=key_place)


def store_card_password(server: CardServer, password: str) -> None:
    """Seals the password of an address book server on its row, which is saved already, under a new data key."""
    ring, key_place = key_ring(), _card_place(server, "data_key")
    data_key = crypto.new_data_key(ring, key_place)
    sealed = crypto.seal(ring, data_key, password, _card_place(server, "sealed"), key_place=key_place)
    now = timezone.now()
    CardServer.objects.filter(pk=server.pk).update(data_key=data_key, sealed=sealed, changed_at=now)
    server.data_key, server.sealed, server.changed_at = data_key, sealed, now


def card_password(server: CardServer) -> str:
    """Raises crypto.SealBroken."""
    place, key_place = _card_place(server, "sealed"), _card_place(server, "data_key")
    return crypto.open_sealed(key_ring(), server.data_key, server.sealed, place, key_place=key_place)


def _card_place(server: CardServer, field: str) -> crypto.Place:
    return crypto.Place(table="accounts_cardserver", row=str(server.pk), field=field, tenant=str(server.user_id))


def incoming(account: MailAccount) -> tuple[str, str]:
    """User name and password for fetching; raises crypto.SealBroken when they do not open."""
    return account.username, _open(account, account.credential, "sealed")


def outgoing(account: MailAccount) -> tuple[str, str]:
    """User name and password for sending."""
    credential = account.credential
    name = credential.outgoing_username or account.username
    return name, _open(account, credential, "sealed_outgoing" if credential.sealed_outgoing else "sealed")


def _provider_place(provider: OAuthProvider, field: str) -> crypto.Place:
    return crypto.Place(
        table="accounts_oauthprovider", row=str(provider.pk), field=field, tenant=str(provider.organisation_id or "")
    )


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
