"""The worker that asks a mailing list to send no more (RFC 8058).

Invariants: only what a passing signature covers is asked, judged again here; the claim is committed before the
connection, so that nothing is sent twice; nothing of the person goes along; no transaction is open meanwhile, and
what the server answers is not kept.
"""

import logging

from django.conf import settings
from django.utils import timezone

from webmail.models import Unsubscription
from webmail.protocols import egress
from webmail.protocols.errors import MailServerError
from webmail.queries.unsubscribing import key_of, one_click_url

log = logging.getLogger(__name__)
FORM = b"List-Unsubscribe=One-Click"
PATIENCE = 10.0  # seconds for the whole
State = Unsubscription.State


def ask_list(unsubscription_id: int) -> None:
    """Asks, once, and writes what came of it."""
    rows = Unsubscription.objects.filter(pk=unsubscription_id)
    row = rows.select_related("message__account__incoming", "message__body").first()
    if row is None or not rows.filter(state=State.WAITING).update(state=State.ASKING, changed_at=timezone.now()):
        return
    message = row.message
    url = one_click_url(message, message.account.incoming.believed) if message is not None else ""
    state = _asked(url) if url and key_of(url) == row.key else State.FAILED
    rows.filter(state=State.ASKING).update(state=state, changed_at=timezone.now())


def _asked(url: str) -> State:
    try:
        status = egress.post(url, FORM, patience=PATIENCE, detours=settings.MAILROOM["IMAGE_DETOURS"])
    except MailServerError as error:
        log.debug("a list could not be asked: %s", type(error).__name__)
        return State.FAILED
    return State.ASKED if status is not None and 200 <= status < 300 else State.UNSURE
