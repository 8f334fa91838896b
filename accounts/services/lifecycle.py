"""What its owner does to a mail account after it was added: pause, resume, try again, change, remove."""

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Least
from django.utils import timezone

from accounts.crypto import SealBroken
from accounts.models import Credential, MailAccount, User

from . import audit, credentials, provisioning
from .provisioning import ServerChoice

State = MailAccount.State
LAST_TRY = 2  # refusals of a password that leave it one more


def pause(account: MailAccount) -> bool:
    """Stops looking after the account; what an administrator suspended stays so."""
    scope = MailAccount.objects.filter(pk=account.pk).exclude(state__in=[State.SUSPENDED, State.PAUSED])
    return bool(scope.update(state=State.PAUSED, state_since=timezone.now()))


def resume(account: MailAccount) -> bool:
    """Goes on after a pause: due at once, or when its server said."""
    if account.state == State.PAUSED and account.error_code == "throttled" and account.next_run_at > timezone.now():
        paused = MailAccount.objects.filter(pk=account.pk, state=State.PAUSED)
        return bool(paused.update(state=State.THROTTLED, state_since=timezone.now()))
    return _clean_slate(account, [State.PAUSED])


def try_again(account: MailAccount) -> bool:
    """Makes the account due now, one whose password was refused included, for one more try; False while it is held, and
    while its server wants to be left alone.
    """
    if account.told_to_wait:
        return False
    stopped = [State.PASSWORD_REFUSED, State.UNREACHABLE, State.THROTTLED, State.FAILING]
    if account.state in stopped:
        return _clean_slate(account, stopped)
    due = MailAccount.objects.filter(pk=account.pk).exclude(state__in=[State.PAUSED, State.SUSPENDED])
    return bool(due.update(next_run_at=timezone.now(), woken_at=timezone.now()))


def resync(account: MailAccount) -> bool:
    """Has everything compared with the server again, once it may be asked; nothing is deleted first. False while it
    cannot be connected to.

    POP3 is compared in full each time, so there it is a look for new mail.
    """
    if account.stopped:
        return False
    if account.protocol != MailAccount.Protocol.IMAP:
        return try_again(account)
    MailAccount.objects.filter(pk=account.pk).update(resync_asked_at=timezone.now())
    try_again(account)
    return True


def _clean_slate(account: MailAccount, states: list[State]) -> bool:
    now = timezone.now()
    return bool(
        MailAccount.objects.filter(pk=account.pk, state__in=states).update(
            state=State.NEW if account.last_sync_at is None else State.WORKING,
            state_since=now,
            error_code="",
            server_line="",
            refused_logins=Least(F("refused_logins"), LAST_TRY),
            failures=0,
            next_run_at=now,
            woken_at=now,
        )
    )


@transaction.atomic
def change(
    account: MailAccount,
    *,
    label: str,
    username: str,
    incoming: ServerChoice,
    outgoing: ServerChoice | None,
    pop_policy: str,
    pop_days: int,
    pop_limit_mb: int = 150,
    password: str = "",
) -> None:
    """Writes the person's choices; with a password, seals it and starts again from a clean slate."""
    account.label, account.username = label, username
    if not same_server(account.incoming, incoming):
        account.incoming = provisioning.server_for(account.organisation, incoming)
    if outgoing is None:
        account.outgoing = None
    elif not same_server(account.outgoing, outgoing):
        account.outgoing = provisioning.server_for(account.organisation, outgoing)
    account.pop_policy, account.pop_days, account.pop_limit_mb = pop_policy, pop_days, pop_limit_mb
    columns = ["label", "username", "incoming", "outgoing", "pop_policy", "pop_days", "pop_limit_mb"]
    account.save(update_fields=columns)
    if password:
        new_password(account, password)


def same_server(server: object, choice: ServerChoice | None) -> bool:
    """Whether the choice names the server as it stands; two empty ones are the same."""
    if server is None or choice is None:
        return server is None and choice is None
    now = (getattr(server, "host", ""), getattr(server, "port", 0), getattr(server, "security", ""))
    return now == (choice.host.strip().rstrip(".").lower(), choice.port, choice.security)


@transaction.atomic
def remove(account: MailAccount, by: User) -> None:
    """Forgets the account with everything kept of it here. Nothing on its server is touched.

    Waits for whoever writes the account's rows at this moment and keeps the next writer out, so that no row comes in
    between being found and being deleted.
    """
    if MailAccount.objects.select_for_update(of=("self",)).filter(pk=account.pk).first() is None:
        return  # asked for twice
    audit.record(by, "mail account removed", target=account.address)
    account.delete()


@transaction.atomic
def new_password(account: MailAccount, password: str, outgoing_password: str = "") -> None:
    """Seals a new password; one that sending has of its own is kept unless another is given."""
    kept = Credential.objects.filter(account=account).first()
    name = kept.outgoing_username if kept else ""
    if kept is not None and kept.sealed_outgoing and not outgoing_password:
        try:
            _name, outgoing_password = credentials.outgoing(account)
        except SealBroken:
            outgoing_password = ""  # lost with its key; the sending server will say so
    provisioning.update_password(account, password)
    if outgoing_password:
        credentials.store(account, password=password, outgoing_password=outgoing_password, outgoing_username=name)
