"""What a person just did, in a sentence short enough for a toast."""

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from webmail.models import Action

OFFERED = timedelta(seconds=10)  # how long Undo stands on a page; the server grants a little more


def said(kind: str, count: int) -> str:
    """The sentence for an action of this kind on so many messages, or on a folder."""
    folders = {
        "create": _("Folder made"),
        "rename": _("Folder renamed"),
        "remove": _("Folder deleted"),
        "show": _("The folder is shown in the list"),
        "hide": _("The folder is hidden from the list"),
    }
    if kind in folders:
        return folders[kind]
    texts = {
        "archive": ngettext("%d message archived", "%d messages archived", count),
        "copy": ngettext("%d message copied", "%d messages copied", count),
        "delete": ngettext("%d message deleted", "%d messages deleted", count),
        "discard": ngettext("%d message leaves the server", "%d messages leave the server", count),
        "empty": ngettext("%d message deleted", "%d messages deleted", count),
        "expunge": ngettext("%d message deleted for good", "%d messages deleted for good", count),
        "junk": ngettext("%d message marked as spam", "%d messages marked as spam", count),
        "notjunk": ngettext("%d message moved to Inbox", "%d messages moved to Inbox", count),
        "label": ngettext("Label set on %d message", "Label set on %d messages", count),
        "unlabel": ngettext("Label removed from %d message", "Label removed from %d messages", count),
        "relabel": ngettext("Label renamed on %d message", "Label renamed on %d messages", count),
        "move": ngettext("%d message moved", "%d messages moved", count),
    }
    return texts.get(kind, ngettext("%d message changed", "%d messages changed", count)) % count


def seconds_left(action: Action) -> int:
    """How long Undo may still be offered, in whole seconds; 0 when it may not."""
    if action.undone_at is not None or not action.count:
        return 0
    return max(0, round((action.created_at + OFFERED - timezone.now()).total_seconds()))
