"""What the settings pages print: each account's health in words, its folders, and where mail probably comes from."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import discovery
from accounts.models import MailAccount, MailServer, Organisation, User
from webmail.models import Mailbox, PopCopy

from . import access, states
from .nav import display_name
from .values import ErrorBlock, Progress

State = MailAccount.State
_LEVELS: dict[str, tuple[str, str]] = {
    State.WORKING: ("ok", "check"),
    State.NEW: ("", "refresh"),
    State.THROTTLED: ("warn", "clock"),
    State.UNREACHABLE: ("warn", "alert"),
    State.PASSWORD_REFUSED: ("danger", "alert"),
    State.FAILING: ("danger", "alert"),
    State.PAUSED: ("", "clock"),
    State.SUSPENDED: ("warn", "lock"),
}


@dataclass(frozen=True, slots=True)
class Health:
    """One account as the settings list it."""

    id: int
    label: str
    address: str
    protocol: str
    words: str
    level: str
    icon: str
    checked: str
    counted: str
    error: ErrorBlock | None
    progress: Progress | None
    paused: bool
    held: bool  # by an administrator
    refused: bool
    stopped: bool


@dataclass(frozen=True, slots=True)
class FolderLine:
    id: int
    name: str
    role: str
    phase: str
    words: str
    total: int
    unread: int
    server_line: str


@dataclass(frozen=True, slots=True)
class CopyChoice:
    """Where copies of a POP3 account's mail can go: (id, "account · folder") and the present id, or "".

    ``lost`` names a mailbox that got copies and is gone.
    """

    folders: tuple[tuple[str, str], ...]
    now: str
    lost: str


@dataclass(frozen=True, slots=True)
class FoundServer:
    """Where mail probably comes from or goes to, and who says so."""

    icon: str
    end: str
    host: str
    detail: str
    source: str


def healths(user: User) -> tuple[Health, ...]:
    """Two queries, however many accounts there are."""
    accounts = list(access.accounts(user).select_related("incoming", "outgoing"))
    totals: dict[int, int] = {}
    for account_id, total in access.mailboxes(user).values_list("account_id", "total"):
        totals[account_id] = totals.get(account_id, 0) + total
    return tuple(health(account, totals.get(account.pk, 0)) for account in accounts)


def health(account: MailAccount, messages: int) -> Health:
    level, icon = _LEVELS.get(account.state, ("", "info"))
    progress = states.progress(account)
    words = str(account.get_state_display())
    refused = account.state == State.PASSWORD_REFUSED or (account.error_code == "auth" and not account.stopped)
    if refused:
        level, icon, words = "danger", "alert", str(State.PASSWORD_REFUSED.label)
    elif account.state == State.NEW and account.error_code:
        level, icon, words = "warn", "alert", _("Not reached yet")
    counted = ngettext("%s message", "%s messages", messages) % f"{messages:,}"
    if progress:
        counted = _("%(done)s of %(total)s fetched") % {"done": f"{progress.done:,}", "total": f"{progress.total:,}"}
    return Health(
        id=account.pk,
        label=str(account),
        address=account.address,
        protocol=str(account.get_protocol_display()),
        words=words,
        level=level,
        icon=icon,
        checked=_checked(account),
        counted=counted,
        error=states.error(account) if account.state != State.PAUSED else None,
        progress=progress,
        paused=account.state == State.PAUSED,
        held=account.state == State.SUSPENDED,
        refused=refused,
        stopped=account.stopped,
    )


def _checked(account: MailAccount) -> str:
    if account.state in (State.PAUSED, State.SUSPENDED):
        return _("Since %s") % _moment(account.state_since)
    if account.state in (State.THROTTLED, State.UNREACHABLE):
        return _("Next try %s") % _moment(account.next_run_at)
    return _("Checked %s") % _moment(account.last_sync_at) if account.last_sync_at else _("Not checked yet")


def _moment(at: datetime) -> str:
    local = timezone.localtime(at)
    today = timezone.localdate()
    if local.date() == today:
        return time_format(local, "H:i")
    return date_format(local, "j F" if local.year == today.year else "j F Y")


def folders(mailboxes: list[Mailbox]) -> tuple[FolderLine, ...]:
    words: dict[str, str] = {
        Mailbox.Phase.NEW: _("not looked at yet"),
        Mailbox.Phase.INITIAL: _("first fetch under way"),
        Mailbox.Phase.LIVE: _("up to date"),
        Mailbox.Phase.REMAP: _("being compared anew"),
        Mailbox.Phase.UNSELECTABLE: _("holds folders only"),
    }
    return tuple(
        FolderLine(
            id=box.pk,
            name=display_name(box) if box.role else box.name,
            role=box.role,
            phase=box.phase,
            words=words.get(box.phase, ""),
            total=box.total,
            unread=box.unread,
            server_line=box.server_line,
        )
        for box in mailboxes
    )


def whole_name(box: Mailbox) -> str:
    """The folder with its account, for a choice among several accounts."""
    return f"{box.account} · {display_name(box) if box.role else box.name}"


def copy_choice(user: User, account: MailAccount) -> CopyChoice | None:
    """The folders of the person's IMAP accounts; None for an account whose mail stays on its server."""
    if account.protocol != MailAccount.Protocol.POP3:
        return None
    boxes = access.mailboxes(user).filter(account__protocol=MailAccount.Protocol.IMAP).select_related("account")
    boxes = boxes.order_by("account__position", "account", "name")
    chosen = PopCopy.objects.select_related("mailbox").filter(account=account).first()
    there = chosen is not None and chosen.mailbox is not None and chosen.mailbox.phase != Mailbox.Phase.GONE
    return CopyChoice(
        folders=tuple((str(box.pk), whole_name(box)) for box in boxes if box.selectable),
        now=str(chosen.mailbox_id) if chosen is not None and there else "",
        lost=chosen.name if chosen is not None and not there else "",
    )


def found_servers(organisation: Organisation, address: str, protocol: str) -> tuple[FoundServer, ...]:
    """The receiving and the sending server an account would begin with; empty for what is no address."""
    domain = address.rpartition("@")[2].strip().lower()
    if "." not in domain and not MailServer.objects.filter(domains__contains=[domain]).exists():
        return ()
    found = []
    for kind, icon, end in ((protocol, "inbox", _("Receiving")), ("smtp", "sent", _("Sending"))):
        one = _named(organisation, kind, domain) or _guessed(kind, address)
        if one is None:
            return ()
        host, port, source = one
        detail = _("%(kind)s, port %(port)d, encrypted") % {"kind": kind.upper(), "port": port}
        found.append(FoundServer(icon, end, host, detail, source))
    return tuple(found)


def _named(organisation: Organisation, kind: str, domain: str) -> tuple[str, int, str] | None:
    scope = Q(organisation=organisation) | Q(organisation=None)
    servers = MailServer.objects.filter(scope, protocol=kind, domains__contains=[domain], trusted=True)
    server = servers.order_by("organisation").first()
    return (server.host, server.port, _("your administrator")) if server else None


def _guessed(kind: str, address: str) -> tuple[str, int, str] | None:
    for guess in discovery.candidates(address):
        if guess.protocol == kind:
            published = guess.source == "provider"
            return guess.host, guess.port, _("the provider’s own settings") if published else _("the usual name")
    return None
