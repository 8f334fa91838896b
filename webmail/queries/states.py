"""How an account is doing, in words a person would say, with the server's own line and the likeliest cure."""

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import MailAccount
from accounts.queries import account_words
from webmail.models import Mailbox

from .values import ErrorBlock, Progress

State = MailAccount.State


def progress(account: MailAccount, mailbox: Mailbox | None = None) -> Progress | None:
    """The first fetch under way, newest mail first, or None."""
    words = account_words.fetching(account)
    if not words:
        return None
    if account.progress_done > 200:
        words += ". " + _("The newest mail came first; you can work meanwhile.")
    return Progress(done=account.progress_done, total=account.progress_total, words=words)


def error(account: MailAccount) -> ErrorBlock | None:
    """What stands in the way of an account, or None while it works."""
    if account.state in (State.NEW, State.WORKING):
        if account.error_code and account.last_sync_at is None:
            return _block(account)
        return None
    if account.state == State.PAUSED:
        return ErrorBlock(
            title=_("%s is paused") % account,
            sentence=_("You can read what is here; nothing new is fetched until you resume it."),
            server_line="",
            action_label=_("Resume"),
            action_url=reverse("mail:account", args=[account.pk]),
            level="warn",
        )
    if account.state == State.SUSPENDED:
        return ErrorBlock(
            title=_("An administrator suspended %s") % account,
            sentence=_("You can read what is here. Ask your administrator why, and to resume it."),
            server_line="",
            action_label="",
            action_url="",
        )
    return _block(account)


def folder_error(mailbox: Mailbox) -> ErrorBlock | None:
    """What keeps this one folder from being whole here, while its account works."""
    if mailbox.phase != Mailbox.Phase.REMAP or not mailbox.unstable:
        return None
    return ErrorBlock(
        title=_("The server keeps renumbering this folder"),
        sentence=_(
            "Its newest messages are followed. Older ones stay here as they were last read, "
            "until the server keeps their numbers for a day."
        ),
        server_line="",
        action_label=_("See account"),
        action_url=reverse("mail:account", args=[mailbox.account_id]),
        level="warn",
    )


def advice(account: MailAccount) -> ErrorBlock | None:
    """What its owner could do so that the account works better than it can now; None when nothing."""
    if not account.settings_seen.get("all_mail_hidden"):
        return None
    return ErrorBlock(
        title=_("Gmail hides All Mail from Mailroom"),
        sentence=_(
            "Mail is read folder by folder, and a message with several labels is fetched once for each of them. "
            "In Gmail, open Settings, then Labels, and tick “Show in IMAP” beside All Mail: "
            "Mailroom then follows the labels by itself."
        ),
        server_line="",
        action_label="",
        action_url="",
    )


def _block(account: MailAccount) -> ErrorBlock:
    trouble = account_words.trouble(account)
    refused = account.error_code == "auth"
    label, name = (_("Update password"), "mail:account_password") if refused else (_("See account"), "mail:account")
    return ErrorBlock(
        title=trouble.title,
        sentence=trouble.sentence,
        server_line=account.server_line,
        action_label=label,
        action_url=reverse(name, args=[account.pk]),
    )
