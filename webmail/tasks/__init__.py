"""Celery's thin shells: ids in, one function called. What they do stands in webmail.sync, webmail.delivery
and webmail.services."""

from . import bulk, images, send, sync

__all__ = ["bulk", "images", "send", "sync"]
