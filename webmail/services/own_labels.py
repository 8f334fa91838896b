"""A label as a whole: another name, another colour, off every message. The messages change in bulk, with one Undo."""

from collections.abc import Collection

from django.db import transaction

from accounts.models import User
from webmail.mime.keywords import WELL_KNOWN
from webmail.models import Action, Placement

from . import bulk, intents


@transaction.atomic
def rename(user: User, keyword: str, spelled: Collection[str], instead: str, *, hue: int) -> Action | None:
    """Another keyword takes its place on every message and in the person's list; None when no message carries it.

    ``spelled`` are its spellings on messages. The new label has the colour ``hue``; where it exists, both become one.
    """
    row = User.objects.select_for_update().get(pk=user.pk)
    lower = keyword.lower()
    own = [instead if word.lower() == lower else word for word in row.labels]
    row.labels = [word for word in dict.fromkeys(own) if word.lower() not in WELL_KNOWN]
    row.label_hues = {key: kept for key, kept in row.label_hues.items() if key != lower} | {instead.lower(): hue}
    row.save(update_fields=["labels", "label_hues"])
    found = _carrying(user, spelled)
    return bulk.begin_with(user, intents.RELABEL, found, keyword=keyword, instead=instead) if found else None


@transaction.atomic
def remove(user: User, keyword: str, spelled: Collection[str]) -> Action | None:
    """Off every message, and no longer offered; None when no message carries it."""
    row = User.objects.select_for_update().get(pk=user.pk)
    row.labels = [word for word in row.labels if word.lower() != keyword.lower()]
    row.save(update_fields=["labels"])
    found = _carrying(user, spelled)
    return bulk.begin_with(user, "unlabel", found, keyword=keyword) if found else None


@transaction.atomic
def colour(user: User, keyword: str, hue: int) -> None:
    """The person's own colour for it, here only: keywords have none."""
    row = User.objects.select_for_update().get(pk=user.pk)
    row.label_hues = row.label_hues | {keyword.lower(): hue}
    row.save(update_fields=["label_hues"])


def _carrying(user: User, spelled: Collection[str]) -> list[int]:
    """Messages with the keyword, newest first."""
    rows = Placement.objects.filter(account__user=user, state=Placement.State.LIVE, origin=None)
    return list(
        rows.filter(keywords__overlap=list(spelled)).order_by("-received_at", "-pk").values_list("pk", flat=True)
    )
