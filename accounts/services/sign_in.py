"""Brakes on guessing passwords: counted per address and network, and per address, in the shared cache.

Every try that was let through to the password check leaves a line in the audit trail.
"""

import hashlib
import logging

from django.core.cache import cache
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from accounts.queries.audit_words import Act

from . import audit

log = logging.getLogger(__name__)
LIMIT = 10  # failures in a window, then the door stays shut until it ends
WINDOW_SECONDS = 900


def allowed(address: str, network: str) -> bool:
    """Whether another try may be made; open when the cache is out of reach, because people must get to their mail."""
    try:
        counts = cache.get_many(_keys(address, network))
    except Exception as error:
        log.warning("sign-in brakes are off, the cache does not answer: %s", type(error).__name__)
        return True
    return all(count < LIMIT for count in counts.values())


def failed(address: str, network: str) -> None:
    """Counts the failure and leaves a line in the audit trail: the address, never what was typed beside it."""
    user = _known(address)
    if address:
        audit.record(None, Act.SIGN_IN_FAILED, target=address, organisation=user.organisation if user else None)
    for key in _keys(address, network):
        try:
            cache.add(key, 0, WINDOW_SECONDS)
            cache.incr(key)
        except Exception as error:
            log.warning("a failed sign-in was not counted: %s", type(error).__name__)


def succeeded(address: str, network: str) -> None:
    """Forgets the failures before it and leaves a line in the audit trail."""
    audit.record(_known(address), Act.SIGNED_IN, target=address)
    try:
        cache.delete_many(_keys(address, network))
    except Exception as error:
        log.warning("sign-in count was not cleared: %s", type(error).__name__)


def seen(request: HttpRequest) -> None:
    """The person came by today: their accounts are polled more often."""
    if isinstance(request.user, User):
        User.objects.filter(pk=request.user.pk).update(last_seen_at=timezone.now())


def _known(address: str) -> User | None:
    return User.objects.select_related("organisation").filter(email=address.strip().lower()).first()


def _keys(address: str, network: str) -> list[str]:
    who = hashlib.blake2b(address.strip().lower().encode(), digest_size=12).hexdigest()
    where = hashlib.blake2b(network.encode(), digest_size=8).hexdigest()
    return [f"signin:{who}:{where}", f"signin:{who}"]
