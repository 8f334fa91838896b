"""What can stand in the audit trail: a stable code in the row, words where it is read."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Act(models.TextChoices):
    """Codes and words of the acts that accounts records; other packages may record codes of their own."""

    SIGNED_IN = "sign_in.accepted", _("Signed in")
    SIGN_IN_FAILED = "sign_in.failed", _("Sign-in failed")
    ORGANISATION_ADDED = "organisation.added", _("Organisation added")
    ORGANISATION_CHANGED = "organisation.changed", _("Organisation changed")
    ORGANISATION_SUSPENDED = "organisation.suspended", _("Organisation suspended")
    ORGANISATION_RESUMED = "organisation.resumed", _("Organisation resumed")
    PERSON_ADDED = "person.added", _("Person added")
    PERSON_CHANGED = "person.changed", _("Person changed")
    PERSON_DEACTIVATED = "person.deactivated", _("Sign-in taken away")
    PERSON_REACTIVATED = "person.reactivated", _("Sign-in given back")
    PASSWORD_RESET = "person.password_reset", _("Sign-in password reset")
    SERVER_ADDED = "server.added", _("Mail server added")
    SERVER_CHANGED = "server.changed", _("Mail server changed")
    SERVER_REMOVED = "server.removed", _("Mail server removed")
    PROVIDER_ADDED = "provider.added", _("Sign-in provider added")
    PROVIDER_CHANGED = "provider.changed", _("Sign-in provider changed")
    PROVIDER_REMOVED = "provider.removed", _("Sign-in provider removed")
    ACCOUNT_SYNC = "account.sync_now", _("Sync asked for")
    ACCOUNT_RESYNC = "account.resync", _("Comparison with the server asked for")
    ACCOUNT_TRIED = "account.try_again", _("Stored password tried again")
    ACCOUNT_SUSPENDED = "account.suspended", _("Account suspended")
    ACCOUNT_RESUMED = "account.resumed", _("Account resumed")
    ACCOUNT_PASSWORD = "account.password_asked", _("New mail password asked for")
    ACCOUNT_SERVERS = "account.servers_changed", _("Account's servers changed")


def words(action: str) -> str:
    """The act in words; a code nobody described is shown as it is."""
    return str(Act(action).label) if action in Act.values else action
