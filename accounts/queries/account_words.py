"""How an account is doing, in words a person would say: for its owner on the mail pages, for operators in the panel.

Invariants: pure but for the clock; a state is always words, a level and an icon together, never colour alone; what the
server said is passed on verbatim by the callers and is no part of these texts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import MailAccount

State = MailAccount.State
STALLED = timedelta(seconds=90)  # a fetch that wrote nothing for so long is not under way
Level: TypeAlias = Literal["ok", "warn", "danger", ""]


@dataclass(frozen=True, slots=True)
class Pill:
    """A state as it is drawn: words, one of the three levels or none, and an icon of the sprite."""

    words: str
    level: Level
    icon: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """What stands in an account's way: what happened, and to whom and what still works."""

    title: str
    sentence: str


_PILLS: dict[str, tuple[Promise, Level, str]] = {
    State.NEW: (gettext_lazy("First sync"), "", "refresh"),
    State.WORKING: (gettext_lazy("Up to date"), "ok", "check"),
    State.PASSWORD_REFUSED: (gettext_lazy("Password refused"), "danger", "key"),
    State.UNREACHABLE: (gettext_lazy("Unreachable"), "warn", "globe"),
    State.THROTTLED: (gettext_lazy("Slowed"), "", "clock"),
    State.FAILING: (gettext_lazy("Needs a look"), "warn", "alert"),
    State.PAUSED: (gettext_lazy("Paused by its owner"), "", "clock"),
    State.SUSPENDED: (gettext_lazy("Suspended"), "", "lock"),
}


def pill(account: MailAccount) -> Pill:
    """The account's state for an operator; all accounts of a suspended organisation are suspended."""
    return state_pill(State.SUSPENDED if account.organisation.suspended_at else account.state)


def state_pill(state: str) -> Pill:
    words, level, icon = _PILLS[state]
    return Pill(str(words), level, icon)


def trouble(account: MailAccount) -> Trouble:
    """The words for the account's error code; an unknown code gets the words for an answer that was not understood."""
    title, sentence = _TROUBLE.get(account.error_code, _TROUBLE[""])
    values = {"host": account.incoming.host, "account": str(account)}
    return Trouble(title=str(title) % values, sentence=str(sentence) % values)


def last_trouble(account: MailAccount) -> str:
    """What stands in the account's way, in words; empty while nothing does."""
    return trouble(account).title if account.error_code else ""


def cure(account: MailAccount) -> str:
    """What an operator can do about the account's trouble."""
    return str(_CURES.get(account.error_code, _CURES[""]))


def fetching(account: MailAccount) -> str:
    """The first fetch under way: how many of how many, how fast, the time left; empty when none is."""
    done, total = account.progress_done, account.progress_total
    if not total or done >= total or account.state not in (State.NEW, State.WORKING):
        return ""
    pop3 = account.protocol == MailAccount.Protocol.POP3
    words = _("Downloading %(done)s of %(total)s") if pop3 else _("Fetching %(done)s of %(total)s")
    words %= {"done": f"{done:,}", "total": f"{total:,}"}
    rate, at = account.progress_rate, account.progress_at
    if pop3 and account.progress_since and done > 200:
        seconds = (timezone.now() - account.progress_since).total_seconds()
        rate, at = int(60 * done / max(seconds, 1)), timezone.now()
    return words + pace(rate, at, left=total - done)


def pace(rate: int, at: datetime | None, *, left: int) -> str:
    """How fast and how long still, to be put behind what is done; that nothing moves at the moment is said too."""
    if at is None or not rate:
        return ""
    if timezone.now() - at > STALLED:
        return " · " + _("waiting for its turn")
    return " · " + _("%s a minute") % f"{rate:,}" + " · " + _time_left(60 * left / rate)


def next_try(account: MailAccount) -> str:
    """When the account is looked at next, and why then; empty where only a person goes on (paused, suspended)."""
    now = timezone.now()
    if account.state == State.PASSWORD_REFUSED:
        return _("No more tries until a new password is entered, so that the server does not lock the account.")
    if account.stopped:
        return ""
    if account.lease_expires_at and account.lease_expires_at > now:
        return _("Being looked at now.")
    if account.next_run_at <= now:
        return _("Due now.")
    values = {"span": lasting(account.next_run_at - now), "at": _clock(account.next_run_at), "why": _why(account)}
    if account.state == State.THROTTLED:
        return _("Not before %(at)s, in %(span)s: %(why)s") % values
    return _("Next look at %(at)s, in %(span)s: %(why)s") % values


def _clock(at: datetime) -> str:
    local = timezone.localtime(at)
    today = local.date() == timezone.localdate()
    return time_format(local, "H:i") if today else date_format(local, "j F H:i")


def _why(account: MailAccount) -> str:
    """The reason for the date, as the end of a sentence."""
    if account.error_code == "connections":
        return _("the server takes no more connections.")
    if account.state == State.THROTTLED:
        return _("the server asked for patience.")
    if account.error_code == "auth":
        refused = account.refused_logins
        words = ngettext("the password was refused once", "the password was refused %d times", refused)
        return (words % refused if "%d" in words else words) + _("; after the third time Mailroom stops.")
    if account.failures:
        words = ngettext(
            "one try failed, so it waits a little.",
            "%d tries in a row failed, and each waits longer than the last.",
            account.failures,
        )
        return words % account.failures if "%d" in words else words
    return str(_REASONS.get(account.next_why, _REASONS[""]))


def _time_left(seconds: float) -> str:
    if seconds < 60:
        return _("less than a minute left")
    minutes = round(seconds / 60)
    return ngettext("about %d min left", "about %d min left", minutes) % minutes


def lasting(span: timedelta) -> str:
    """12 s, 38 min, 4 h 25 min, 3 d 4 h: the two largest units; a span before its beginning counts as none."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return _("%d s") % seconds
    if seconds < 3600:
        return _("%d min") % (seconds // 60)
    if seconds < 86400:
        return _joined(_("%d h") % (seconds // 3600), seconds % 3600 // 60, _("%d min"))
    return _joined(_("%d d") % (seconds // 86400), seconds % 86400 // 3600, _("%d h"))


def _joined(first: str, rest: int, unit: str) -> str:
    return f"{first} {unit % rest}" if rest else first


_REASONS: dict[str, Promise] = {
    MailAccount.NextWhy.OPEN: gettext_lazy("every minute while a page is open."),
    MailAccount.NextWhy.ACTIVE: gettext_lazy("every few minutes on days with a visit."),
    MailAccount.NextWhy.IDLE: gettext_lazy("twice an hour while nobody looks."),
    MailAccount.NextWhy.OWED: gettext_lazy("a change is to be sent then."),
    MailAccount.NextWhy.BUSY: gettext_lazy("the server takes few connections, and they are in use."),
    "": gettext_lazy("as usual."),
}

_TROUBLE: dict[str, tuple[Promise, Promise]] = {
    "auth": (
        gettext_lazy("%(host)s refused the password"),
        gettext_lazy(
            "You can still read what is here; new mail for %(account)s waits there. "
            "Many providers need an app password."
        ),
    ),
    "withdrawn": (
        gettext_lazy("%(account)s needs you to sign in again"),
        gettext_lazy(
            "The permission to read its mail was taken back or has ended. What is here stays readable, and nothing is "
            "lost on the server."
        ),
    ),
    "client": (
        gettext_lazy("The sign-in for %(account)s is not set up right"),
        gettext_lazy(
            "Its provider does not accept Mailroom as a client. Your administrator can mend that in the admin panel."
        ),
    ),
    "unreachable": (
        gettext_lazy("%(host)s cannot be reached"),
        gettext_lazy(
            "What is here stays readable, and Mailroom tries again by itself. "
            "If it lasts, check the server's name and port."
        ),
    ),
    "host-not-allowed": (
        gettext_lazy("%(host)s may not be used"),
        gettext_lazy(
            "It lies on a private address or an unusual port. Your administrator can allow it in the admin panel."
        ),
    ),
    "tls": (
        gettext_lazy("The connection to %(host)s is not safe"),
        gettext_lazy("Its certificate could not be verified, so no password was sent. Tell whoever runs the server."),
    ),
    "throttled": (
        gettext_lazy("%(host)s asks for patience"),
        gettext_lazy("The server slowed %(account)s down; Mailroom waits and goes on by itself."),
    ),
    "connections": (
        gettext_lazy("%(host)s takes no more connections"),
        gettext_lazy(
            "Other programs hold as many as it allows for %(account)s. What is here stays readable, and Mailroom tries "
            "again by itself."
        ),
    ),
    "lost": (
        gettext_lazy("The connection to %(host)s broke"),
        gettext_lazy("What is here stays readable, and Mailroom tries again by itself."),
    ),
    "storage": (
        gettext_lazy("Mailroom cannot store mail at the moment"),
        gettext_lazy("Nothing is lost: new mail for %(account)s waits on %(host)s, and Mailroom tries again."),
    ),
    "seal": (
        gettext_lazy("The stored password for %(account)s does not open"),
        gettext_lazy("The key that sealed it is not loaded. Enter the password again, or ask your administrator."),
    ),
    "": (
        gettext_lazy("%(host)s gave an answer Mailroom does not understand"),
        gettext_lazy("What is here stays readable, and Mailroom tries again by itself."),
    ),
}

_CURES: dict[str, Promise] = {
    "auth": gettext_lazy("Only its owner can enter a new password. If the server erred, try the stored one again."),
    "withdrawn": gettext_lazy("Only its owner can sign in at the provider again."),
    "client": gettext_lazy("Check the client id and secret under Sign-in providers."),
    "unreachable": gettext_lazy("Check the server's name and port, and whether it is up. Mailroom keeps trying."),
    "host-not-allowed": gettext_lazy("Mark the server as named by an administrator if you trust it there."),
    "tls": gettext_lazy("Give the server its own certificate authority here, or have its certificate renewed."),
    "throttled": gettext_lazy("Mailroom waits as long as the server asked for. Trying sooner may lengthen it."),
    "connections": gettext_lazy("Mailroom tries again by itself. Its server can allow more connections from here."),
    "lost": gettext_lazy("Mailroom tries again by itself. If it lasts, ask whoever runs the server."),
    "storage": gettext_lazy("Make room on the disk where Mailroom keeps mail, and see that it may write there."),
    "seal": gettext_lazy("Load the key that sealed it, or ask the owner for the password again."),
    "": gettext_lazy("Mailroom tries again by itself. If it lasts, send the server's words to whoever runs it."),
}
