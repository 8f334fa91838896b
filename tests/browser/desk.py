"""Somebody at whose desk mail arrives as a server brings it: parsed and stored, without a server."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from django.db import transaction

from accounts.models import MailAccount, MailServer, User
from tests import factories
from tests.security.arriving import address_of, deliver
from tests.support.live import Live
from tests.support.shapes import BELIEVED
from webmail.models import Mailbox, Message, Placement

from .test_compose import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

NUMBERS = itertools.count(1)


@dataclass
class Desk:
    """Maren, whose account is held so that no worker looks for its server, and mail that comes to her."""

    live: Live
    user: User
    account: MailAccount
    inbox: Mailbox

    def gets(self, raw: bytes) -> Message:
        """With a UID, as mail of a server has: housekeeping takes what has none and is not on its way."""
        with transaction.atomic():
            message = deliver(self.inbox, raw)
            Placement.objects.filter(message=message).update(uid=next(NUMBERS))
        return message

    def open(self, page: Page, message: Message) -> Page:
        sign_in(page, self.user, self.live)
        page.goto(self.live.url + address_of(self.inbox, message))
        return page


@pytest.fixture
def desk(live: Live) -> Desk:
    user = factories.user("Maren")
    User.objects.filter(pk=user.pk).update(undo_send_seconds=30, time_zone="Europe/Oslo")
    account = factories.account(user, state="paused")
    MailServer.objects.update(authentication_names=[BELIEVED])
    inbox = factories.mailbox(account)
    for role in ("trash", "archive", "junk", "sent", "drafts"):
        factories.mailbox(account, role)
    return Desk(live, user, account, inbox)
