"""What the panel's buttons do: each intent's words, whether it asks first, and the function that carries it out.

Invariants: an intent acts by POST alone; one that takes something away asks for confirmation; lists, detail pages and
the overview share these, so that an act is the same act wherever it was pressed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import MailAccount, Organisation, User
from accounts.services import administration

State = MailAccount.State


@dataclass(frozen=True, slots=True)
class Intent:
    """`do(actor, id)` says whether anything changed; `fits(row)` whether to offer it; no `question`: no need to ask."""

    name: str
    label: Promise
    icon: str
    do: Callable[[User, int], bool]
    fits: Callable[..., bool]
    done: Promise
    refused: Promise
    question: Promise | str = ""
    danger: bool = False


def _by_name(*intents: Intent) -> dict[str, Intent]:
    return {intent.name: intent for intent in intents}


def _may_sync(account: MailAccount) -> bool:
    return not account.stopped and account.organisation.suspended_at is None


ACCOUNT = _by_name(
    Intent(
        name="sync",
        label=_("Sync now"),
        icon="refresh",
        do=administration.sync_now,
        fits=_may_sync,
        done=_("%s is being synced."),
        refused=_("%s cannot be synced as it stands: it is held, or its password was refused."),
    ),
    Intent(
        name="resync",
        label=_("Compare everything again"),
        icon="all-inboxes",
        do=administration.resync,
        fits=lambda account: _may_sync(account) and account.protocol == MailAccount.Protocol.IMAP,
        done=_("Everything in %s is being compared with its server. Nothing is deleted first."),
        refused=_("%s cannot be synced as it stands: it is held, or its password was refused."),
    ),
    Intent(
        name="retry",
        label=_("Try again"),
        icon="refresh",
        do=administration.try_again,
        fits=lambda account: account.state == State.PASSWORD_REFUSED,
        done=_("The stored password of %s is being tried again."),
        refused=_("The password of %s was not refused."),
    ),
    Intent(
        name="ask",
        label=_("Ask for password"),
        icon="key",
        do=administration.ask_for_password,
        fits=lambda account: account.state not in (State.PAUSED, State.SUSPENDED),
        done=_("The owner of %s is asked for a new password on every page. Nothing is tried until it is entered."),
        refused=_("%s is held; resume it first."),
        question=_("Mailroom stops fetching for it until its owner has entered a new password."),
    ),
    Intent(
        name="suspend",
        label=_("Suspend"),
        icon="lock",
        do=administration.suspend_account,
        fits=lambda account: account.state != State.SUSPENDED,
        done=_("%s is suspended: nothing is fetched or sent for it."),
        refused=_("%s was suspended already."),
        question=_("Nothing is fetched or sent for it until you resume it. What is here stays readable."),
        danger=True,
    ),
    Intent(
        name="resume",
        label=_("Resume"),
        icon="check",
        do=administration.resume_account,
        fits=lambda account: account.state == State.SUSPENDED,
        done=_("%s is resumed and being synced."),
        refused=_("%s was not suspended."),
    ),
)

ORGANISATION = _by_name(
    Intent(
        name="suspend",
        label=_("Suspend"),
        icon="lock",
        do=administration.suspend_organisation,
        fits=lambda organisation: organisation.suspended_at is None,
        done=_("%s is suspended: its people are signed out and its accounts rest."),
        refused=_("%s was suspended already, or is your own."),
        question=_("All its people are signed out and cannot sign in, and none of its accounts is synced."),
        danger=True,
    ),
    Intent(
        name="resume",
        label=_("Resume"),
        icon="check",
        do=administration.resume_organisation,
        fits=lambda organisation: organisation.suspended_at is not None,
        done=_("%s is resumed; its accounts are being synced."),
        refused=_("%s was not suspended."),
    ),
)

PERSON = _by_name(
    Intent(
        name="deactivate",
        label=_("Take sign-in away"),
        icon="lock",
        do=administration.deactivate_person,
        fits=lambda user: user.is_active,
        done=_("%s can no longer sign in, and their accounts rest."),
        refused=_("%s could not sign in already, or is you."),
        question=_("Their sessions end, they cannot sign in, and their accounts are no longer synced."),
        danger=True,
    ),
    Intent(
        name="reactivate",
        label=_("Give sign-in back"),
        icon="check",
        do=administration.reactivate_person,
        fits=lambda user: not user.is_active,
        done=_("%s can sign in again."),
        refused=_("%s could sign in already."),
    ),
)

BY_MODEL: dict[type, dict[str, Intent]] = {MailAccount: ACCOUNT, Organisation: ORGANISATION, User: PERSON}
