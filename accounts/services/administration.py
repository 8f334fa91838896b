"""What an administrator may do, one function an intent; the panel's pages, buttons and lists all come through here.

Invariants: every act is a conditional ``update()`` of the columns it is about, so that it neither overwrites a worker
nor happens twice; the act and its line in the audit trail are one transaction; an act that changed nothing returns
False and leaves no line. Nothing here opens a credential or reads mail.
"""

import secrets
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from accounts.models import MailAccount, MailServer, OAuthProvider, Organisation, User
from accounts.queries.audit_words import Act

from . import audit, credentials, sync_state

State = MailAccount.State
_HELD = (State.PAUSED, State.SUSPENDED)
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # read out over the telephone without spelling


def add_organisation(actor: User, organisation: Organisation) -> None:
    _save(actor, Act.ORGANISATION_ADDED, organisation, organisation)


def change_organisation(actor: User, organisation: Organisation) -> None:
    _save(actor, Act.ORGANISATION_CHANGED, organisation, organisation)


def suspend_organisation(actor: User, organisation_id: int) -> bool:
    """Nobody of it can sign in, open sessions end, and none of its accounts is synced until it is resumed."""
    if actor.organisation_id == organisation_id:
        return False  # would lock the actor out
    return _on_organisation(actor, Act.ORGANISATION_SUSPENDED, organisation_id, was=True, suspended_at=timezone.now())


@transaction.atomic
def resume_organisation(actor: User, organisation_id: int) -> bool:
    if not _on_organisation(actor, Act.ORGANISATION_RESUMED, organisation_id, was=False, suspended_at=None):
        return False
    _wake(Q(organisation_id=organisation_id))
    return True


@transaction.atomic
def add_person(actor: User, *, email: str, name: str, organisation: Organisation) -> tuple[User, str]:
    """The new person and the password made for them, shown once and to be replaced at the first sign-in."""
    password = _password()
    user = User.objects.create_user(email, password, name=name, organisation=organisation, must_change_password=True)
    audit.record(actor, Act.PERSON_ADDED, target=user.email, organisation=organisation)
    return user, password


@transaction.atomic
def change_person(actor: User, user: User) -> None:
    """Saves the name and address of a person; their rights are not changed here."""
    user.save(update_fields=["email", "name"])
    audit.record(actor, Act.PERSON_CHANGED, target=user.email, organisation=user.organisation)


def deactivate_person(actor: User, user_id: int) -> bool:
    """The person can no longer sign in, open sessions end, and their accounts are no longer synced."""
    if actor.pk == user_id:
        return False
    return _on_person(actor, Act.PERSON_DEACTIVATED, user_id, Q(is_active=True), is_active=False)


@transaction.atomic
def reactivate_person(actor: User, user_id: int) -> bool:
    if not _on_person(actor, Act.PERSON_REACTIVATED, user_id, Q(is_active=False), is_active=True):
        return False
    _wake(Q(user_id=user_id))
    return True


def reset_password(actor: User, user_id: int) -> str | None:
    """A new sign-in password, known only to the caller; every session of the person ends. None: not for oneself."""
    if actor.pk == user_id:
        return None
    password = _password()
    done = _on_person(
        actor, Act.PASSWORD_RESET, user_id, Q(), password=make_password(password), must_change_password=True
    )
    return password if done else None


def add_server(actor: User, server: MailServer) -> None:
    _save(actor, Act.SERVER_ADDED, server, server.organisation)


@transaction.atomic
def change_server(actor: User, server: MailServer) -> None:
    """Saves the server; accounts that could not reach it are tried at once."""
    _save(actor, Act.SERVER_CHANGED, server, server.organisation)
    _wake(Q(incoming=server, state__in=(State.UNREACHABLE, State.FAILING)))


@transaction.atomic
def save_provider(actor: User, provider: OAuthProvider, *, secret: str) -> None:
    """Saves a sign-in provider; an empty secret leaves the one it has. Accounts it refused are tried at once."""
    act = Act.PROVIDER_CHANGED if provider.pk else Act.PROVIDER_ADDED
    if provider.pk is None:
        provider.save()  # the seal is bound to the row's number
    if secret:
        credentials.store_client_secret(provider, secret)
    _save(actor, act, provider, provider.organisation)
    _wake(Q(credential__provider=provider, state=State.FAILING))


@transaction.atomic
def remove_provider(actor: User, provider: OAuthProvider) -> None:
    """Removes a provider that no account signs in with; raises ProtectedError otherwise."""
    target, organisation = str(provider), provider.organisation
    provider.delete()
    audit.record(actor, Act.PROVIDER_REMOVED, target=target, organisation=organisation)


@transaction.atomic
def remove_server(actor: User, server: MailServer) -> None:
    """Removes a server that no account uses; raises ProtectedError otherwise."""
    target, organisation = str(server), server.organisation
    server.delete()
    audit.record(actor, Act.SERVER_REMOVED, target=target, organisation=organisation)


def sync_now(actor: User, account_id: int) -> bool:
    """Makes the account due now, even if its server asked for time.

    False when it is held, refused, or its organisation or owner is out.
    """
    return _sync(actor, Act.ACCOUNT_SYNC, account_id)


def resync(actor: User, account_id: int) -> bool:
    """Has everything compared with the server again, nothing deleted first; False as for ``sync_now``."""
    return _sync(actor, Act.ACCOUNT_RESYNC, account_id, resync_asked_at=timezone.now())


@transaction.atomic
def _sync(actor: User, act: Act, account_id: int, **columns: Any) -> bool:
    awake = Q(organisation__suspended_at=None, user__is_active=True) & ~Q(state__in=(*_HELD, State.PASSWORD_REFUSED))
    account = MailAccount.objects.select_related("organisation").filter(awake, pk=account_id).first()
    if account is None:
        return False
    MailAccount.objects.filter(pk=account_id, state=State.THROTTLED).update(**_afresh())
    if columns:
        MailAccount.objects.filter(pk=account_id).update(**columns)
    sync_state.wake(account_id)
    audit.record(actor, act, target=account.address, organisation=account.organisation)
    return True


def try_again(actor: User, account_id: int) -> bool:
    """Tries the stored password once more, for a server that refused it by mistake."""
    return _on_account(actor, Act.ACCOUNT_TRIED, account_id, Q(state=State.PASSWORD_REFUSED), **_afresh())


def suspend_account(actor: User, account_id: int) -> bool:
    return _on_account(
        actor,
        Act.ACCOUNT_SUSPENDED,
        account_id,
        ~Q(state=State.SUSPENDED),
        state=State.SUSPENDED,
        state_since=timezone.now(),
    )


def resume_account(actor: User, account_id: int) -> bool:
    return _on_account(actor, Act.ACCOUNT_RESUMED, account_id, Q(state=State.SUSPENDED), **_afresh())


@transaction.atomic
def ask_for_password(actor: User, account_id: int) -> bool:
    """The owner is asked for a new mail password on every page; nothing is tried with the old one until then."""
    return _on_account(
        actor,
        Act.ACCOUNT_PASSWORD,
        account_id,
        ~Q(state__in=_HELD),
        state=State.PASSWORD_REFUSED,
        state_since=_unless_refused(F("state_since"), Value(timezone.now())),
        server_line=_unless_refused(F("server_line"), Value("")),
        error_code="auth",
    )


def change_account_servers(actor: User, account_id: int, *, incoming: MailServer, outgoing: MailServer | None) -> bool:
    """Moves the account to other servers and tries them at once; what was learnt of the old one is forgotten."""
    same = Q(incoming=incoming) & (Q(outgoing=outgoing) if outgoing else Q(outgoing=None))
    state = _afresh()
    state["state"] = Case(When(state__in=_HELD, then=F("state")), default=state["state"])
    return _on_account(
        actor,
        Act.ACCOUNT_SERVERS,
        account_id,
        ~same,
        detail=f"{incoming} · {outgoing or '—'}",
        incoming=incoming,
        outgoing=outgoing,
        settings_seen={},
        **state,
    )


def _afresh() -> dict[str, Any]:
    """Columns of an account that starts again with nothing held against it."""
    now = timezone.now()
    return {
        "state": Case(When(last_sync_at=None, then=Value(State.NEW)), default=Value(State.WORKING)),
        "state_since": now,
        "error_code": "",
        "server_line": "",
        "failures": 0,
        "refused_logins": 0,
        "next_run_at": now,
        "woken_at": now,
    }


def _unless_refused(kept: F, new: Value) -> Case:
    return Case(When(state=State.PASSWORD_REFUSED, then=kept), default=new)


def _wake(which: Q) -> None:
    now = timezone.now()
    held = (*_HELD, State.PASSWORD_REFUSED, State.THROTTLED)
    MailAccount.objects.filter(which).exclude(state__in=held).update(next_run_at=now, woken_at=now)


@transaction.atomic
def _on_account(actor: User, act: Act, account_id: int, when: Q, *, detail: str = "", **columns: Any) -> bool:
    if not MailAccount.objects.filter(when, pk=account_id).update(**columns):
        return False
    account = MailAccount.objects.select_related("organisation").get(pk=account_id)
    audit.record(actor, act, target=account.address, detail=detail, organisation=account.organisation)
    return True


@transaction.atomic
def _on_person(actor: User, act: Act, user_id: int, when: Q, **columns: Any) -> bool:
    if not User.objects.filter(when, pk=user_id).update(**columns):
        return False
    user = User.objects.select_related("organisation").get(pk=user_id)
    audit.record(actor, act, target=user.email, organisation=user.organisation)
    return True


@transaction.atomic
def _on_organisation(actor: User, act: Act, organisation_id: int, *, was: bool, **columns: Any) -> bool:
    if not Organisation.objects.filter(pk=organisation_id, suspended_at__isnull=was).update(**columns):
        return False
    organisation = Organisation.objects.get(pk=organisation_id)
    audit.record(actor, act, target=organisation.name, organisation=organisation)
    return True


@transaction.atomic
def _save(
    actor: User, act: Act, row: Organisation | MailServer | OAuthProvider, organisation: Organisation | None
) -> None:
    row.save()
    audit.record(actor, act, target=str(row), organisation=organisation)


def _password() -> str:
    """Sixteen letters in four groups: 79 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
