"""Celery's thin shells: ids in, one function called. What they do stands in webmail.sync and webmail.delivery."""

from . import send, sync

__all__ = ["send", "sync"]
