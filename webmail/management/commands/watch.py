"""The watcher: holds the IDLE connections (webmail.watch)."""

import os
import signal
from typing import Any

from django.core.management.base import BaseCommand

from webmail.watch.loop import Loop


class Command(BaseCommand):
    help = "Watches the inboxes of all IMAP accounts and wakes the sync, until it is told to end."

    def handle(self, *args: Any, **options: Any) -> None:
        loop = Loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: loop.stop())
        loop.run()
        os._exit(0)  # a login that still waits for a server must not hold up the end
