"""Servers that file what they submit in Sent themselves: known by name, by what they offer, or by what was found."""

from accounts.models import MailAccount
from webmail.protocols.values import LABELS

KNOWN = (".gmail.com", ".office365.com", ".outlook.com", ".mail.me.com", ".zoho.com", ".zoho.eu")
_LEARNT = "files_sent"  # in MailAccount.settings_seen: copies were found that we had not filed


def files_itself(account: MailAccount) -> bool:
    """Whether its server is to be given the time to."""
    server, seen = account.outgoing, account.settings_seen
    known = server is not None and f".{server.host}".endswith(KNOWN)
    return known or LABELS in seen.get("capabilities", ()) or bool(seen.get(_LEARNT))


def learn(account: MailAccount) -> None:
    """From now on it is."""
    if not account.settings_seen.get(_LEARNT):
        account.settings_seen = account.settings_seen | {_LEARNT: True}
        MailAccount.objects.filter(pk=account.pk).update(settings_seen=account.settings_seen)
