"""Texts to begin messages with: kept, removed, taken back."""

from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from webmail.models import TextTemplate


class NameTaken(Exception):
    """Another template of the person has this name."""


def keep(user: User, values: Mapping[str, str], template: TextTemplate | None = None) -> None:
    """Name, subject and cleaned HTML of a new template or in place of an old one's. Raises NameTaken."""
    try:
        with transaction.atomic():
            if template is None:
                TextTemplate.objects.create(user=user, **values)
            else:
                TextTemplate.objects.filter(pk=template.pk).update(**values)
    except IntegrityError:
        raise NameTaken from None


def remove(template: TextTemplate) -> None:
    TextTemplate.objects.filter(pk=template.pk).update(removed_at=timezone.now())


def restore(user: User, template_id: int) -> bool:
    """Undo of removing; False where there is nothing to take back. Raises NameTaken."""
    try:
        with transaction.atomic():
            return bool(TextTemplate.objects.filter(user=user, pk=template_id).update(removed_at=None))
    except IntegrityError:
        raise NameTaken from None
