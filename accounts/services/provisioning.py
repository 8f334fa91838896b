"""Bringing people and mail accounts into being. No connection is made here: the first sync tries the servers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import discovery
from accounts.models import Credential, Identity, MailAccount, MailServer, OAuthProvider, Organisation, User

from . import credentials


@dataclass(frozen=True, slots=True)
class ServerChoice:
    """A server as typed, guessed or taken from an administrator's list."""

    protocol: str
    host: str
    port: int
    security: str = "tls"


class AlreadyThere(Exception):
    """The person has this account already."""


@transaction.atomic
def add_account(
    user: User,
    *,
    protocol: str,
    address: str,
    password: str = "",
    grant: tuple[OAuthProvider, dict[str, str]] | None = None,
    username: str = "",
    label: str = "",
    incoming: ServerChoice | None = None,
    outgoing: ServerChoice | None = None,
    outgoing_password: str = "",
    pop_policy: str = MailAccount.PopPolicy.KEEP,
    pop_days: int = 14,
    pop_limit_mb: int = 150,
) -> MailAccount:
    """A new account, due for its first sync. Servers not named are an administrator's for the domain, else guessed.

    ``grant`` stands in for a password: an authorisation server, and what it gave for the account.
    """
    address = address.strip()
    if MailAccount.objects.filter(user=user, protocol=protocol, address__iexact=address).exists():
        raise AlreadyThere
    guesses = [] if incoming else _guesses(address, protocol)
    smtp_guesses = [] if outgoing else _guesses(address, "smtp")
    fetch_from = _named(user.organisation, protocol, address) if incoming is None else None
    send_by = _named(user.organisation, "smtp", address) if outgoing is None else None
    account = MailAccount.objects.create(
        user=user,
        organisation=user.organisation,
        protocol=protocol,
        address=address,
        label=label,
        username=username or address,
        incoming=fetch_from or server_for(user.organisation, incoming or guesses[0]),
        outgoing=send_by or server_for(user.organisation, outgoing or smtp_guesses[0]),
        position=MailAccount.objects.filter(user=user).count(),
        pop_policy=pop_policy,
        pop_days=pop_days,
        pop_limit_mb=pop_limit_mb,
        settings_seen={"guesses": [asdict(guess) for guess in guesses[1:]] if fetch_from is None else []},
    )
    if grant is None:
        credentials.store(account, password=password, outgoing_password=outgoing_password)
    else:
        credentials.store_code(account, *grant)
    Identity.objects.create(
        account=account, name=user.name, address=address, is_default=True, verified_at=timezone.now()
    )
    return account


def update_password(account: MailAccount, password: str) -> None:
    """Seals a new password and lets the account try again from a clean slate."""
    with transaction.atomic():
        credentials.store(account, password=password)
        _clean_slate(account)


def update_grant(
    account: MailAccount, provider: OAuthProvider, code: dict[str, str], *, asked_at: int | None = None
) -> bool:
    """The same with a new authorisation; False, with nothing changed, when a later one than ``asked_at`` is there.

    ``asked_at`` is in microseconds since 1970.
    """
    with transaction.atomic():
        held = Credential.objects.select_for_update().filter(account=account.pk).first()
        if held is not None and asked_at is not None and held.changed_at.timestamp() * 1_000_000 > asked_at:
            return False
        credentials.store_code(account, provider, code)
        _clean_slate(account)
        return True


def _clean_slate(account: MailAccount) -> None:
    MailAccount.objects.filter(pk=account.pk).exclude(state=MailAccount.State.SUSPENDED).update(
        state=MailAccount.State.NEW if account.last_sync_at is None else MailAccount.State.WORKING,
        state_since=timezone.now(),
        error_code="",
        server_line="",
        refused_logins=0,
        failures=0,
        next_run_at=timezone.now(),
    )


def next_guess(account: MailAccount) -> bool:
    """Moves an account that never reached its guessed server to the next likely one; False when none is left."""
    guesses: list[dict[str, str | int]] = account.settings_seen.get("guesses", [])
    if account.last_sync_at is not None or not guesses:
        return False
    first, *rest = guesses
    choice = ServerChoice(str(first["protocol"]), str(first["host"]), int(first["port"]), str(first["security"]))
    account.incoming = server_for(account.organisation, choice)
    account.settings_seen = account.settings_seen | {"guesses": rest}
    account.save(update_fields=["incoming", "settings_seen"])
    return True


def server_for(organisation: Organisation, choice: ServerChoice) -> MailServer:
    """The organisation's row for a server; one that an administrator named keeps its trust."""
    host = choice.host.strip().rstrip(".").lower()
    named = MailServer.objects.filter(
        Q(organisation=organisation) | Q(organisation=None, trusted=True),
        protocol=choice.protocol,
        host=host,
        port=choice.port,
    ).order_by("-trusted")
    found = named.first()
    if found is not None:
        return found
    return MailServer.objects.create(
        organisation=organisation, protocol=choice.protocol, host=host, port=choice.port, security=choice.security
    )


def _named(organisation: Organisation, protocol: str, address: str) -> MailServer | None:
    domain = address.rpartition("@")[2].lower()
    return (
        MailServer.objects.filter(
            Q(organisation=organisation) | Q(organisation=None),
            protocol=protocol,
            domains__contains=[domain],
            trusted=True,
        )
        .order_by("organisation")
        .first()
    )


def _guesses(address: str, protocol: str) -> Sequence[ServerChoice]:
    return [
        ServerChoice(guess.protocol, guess.host, guess.port, guess.security)
        for guess in discovery.candidates(address)
        if guess.protocol == protocol
    ]
