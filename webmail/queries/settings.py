"""What the settings pages print: each account's health in words, its folders, and where mail probably comes from."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import discovery
from accounts.models import MailAccount, MailServer, Organisation, User
from accounts.queries import account_words
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
    checked: str  # the last sync, or the next where that is the news
    last: str
    counted: str
    next_try: str
    server_line: str
    error: ErrorBlock | None
    advice: ErrorBlock | None
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
    checked: str  # when it was last read: an unchanged one is not
    progress: Progress | None
    can_resync: bool
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
    for account_id, total in access.mailboxes(user).filter(label="").values_list("account_id", "total"):
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
        level, icon, words = "", "refresh", _("First fetch under way")
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
        last=_last(account),
        counted=counted,
        next_try=account_words.next_try(account),
        server_line=account.server_line,
        error=states.error(account) if account.state != State.PAUSED else None,
        advice=states.advice(account),
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
    return _last(account)


def _last(account: MailAccount) -> str:
    return _("Checked %s") % _moment(account.last_sync_at) if account.last_sync_at else _("Not checked yet")


def _moment(at: datetime) -> str:
    local = timezone.localtime(at)
    today = timezone.localdate()
    if local.date() == today:
        return time_format(local, "H:i")
    return date_format(local, "j F" if local.year == today.year else "j F Y")


_PHASES: dict[str, Promise] = {
    Mailbox.Phase.NEW: gettext_lazy("Not looked at yet"),
    Mailbox.Phase.INITIAL: gettext_lazy("First fetch under way"),
    Mailbox.Phase.LIVE: gettext_lazy("Up to date"),
    Mailbox.Phase.REMAP: gettext_lazy("Being compared anew: the server renumbered it"),
    Mailbox.Phase.UNSELECTABLE: gettext_lazy("Holds folders only"),
}
_FILLING = (Mailbox.Phase.INITIAL, Mailbox.Phase.REMAP)


def folders(account: MailAccount, mailboxes: list[Mailbox]) -> tuple[FolderLine, ...]:
    """Each folder as it stands: its phase, how far a fetch or comparison has come, when it was last looked at."""
    imap = account.protocol == MailAccount.Protocol.IMAP
    return tuple(
        FolderLine(
            id=box.pk,
            name=display_name(box) if box.role else box.name,
            role=box.role,
            phase=box.phase,
            words=_folder_words(account, box),
            checked=_("last change %s") % _moment(box.last_sync_at) if imap and box.last_sync_at else "",
            progress=_folder_progress(account, box),
            can_resync=imap and box.phase == Mailbox.Phase.LIVE and not account.stopped and not _compared(box),
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


def comparison(account: MailAccount, mailboxes: list[Mailbox]) -> Progress | None:
    """The comparison of the whole account, over all folders it was asked for; None when none is under way."""
    asked = [box for box in mailboxes if _compared(box)]
    if account.stopped or not (asked or account.resync_asked_at):
        return None
    done, total = sum(min(box.resync_done, box.exists_count) for box in asked), sum(box.exists_count for box in asked)
    words = _("Comparing everything with the server; nothing is deleted first.")
    if done:
        numbers = {"done": f"{done:,}", "total": f"{total:,}"}
        words = _("Comparing with the server: %(done)s of %(total)s") % numbers
        latest = max((box.rate_at for box in asked if box.rate_at), default=None)
        if latest is not None and _goes_on(account):
            moving = sum(box.rate for box in asked if box.rate_at and latest - box.rate_at < account_words.STALLED)
            words += account_words.pace(moving, latest, left=total - done)
    return Progress(done=done, total=max(total, 1), words=words)


def _goes_on(account: MailAccount) -> bool:
    return account.state in (State.NEW, State.WORKING)


def _compared(box: Mailbox) -> bool:
    return box.resync_asked_at is not None


def _folder_words(account: MailAccount, box: Mailbox) -> str:
    if box.failures:
        words = ngettext("Could not be read", "Could not be read, %d times in a row", box.failures)
        return words % box.failures if "%d" in words else words
    if box.missing_since is not None:
        return _("The server no longer lists it")
    if box.phase == Mailbox.Phase.REMAP and box.unstable:
        return _("Renumbered by its server again and again; only the newest mail is followed")
    if _compared(box):
        return _("Being compared with the server") if box.resync_low is not None else _("Waits to be compared")
    if box.phase in _FILLING and not _goes_on(account):
        return _("Stopped half-way") if account.stopped else _("Waits half-way")
    return str(_PHASES.get(box.phase, ""))


def _folder_progress(account: MailAccount, box: Mailbox) -> Progress | None:
    """Messages fetched, or compared, of those on the server."""
    if _compared(box) and box.resync_low is not None:
        done, words = box.resync_done, _("%(done)s of %(total)s compared")
    elif box.phase in _FILLING and box.exists_count:
        done, words = box.total, _("%(done)s of %(total)s")
    else:
        return None
    done = min(done, box.exists_count)
    words = words % {"done": f"{done:,}", "total": f"{box.exists_count:,}"}
    if _goes_on(account):
        words += account_words.pace(box.rate, box.rate_at, left=box.exists_count - done)
    return Progress(done=done, total=max(box.exists_count, 1), words=words)


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
