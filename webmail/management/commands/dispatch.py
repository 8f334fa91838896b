"""The dispatcher: once a second, what Postgres says is due goes to the queues."""

import logging
import signal
import threading
import time
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from webmail.delivery.submit import recover
from webmail.jobs import enqueue
from webmail.sync.due import Enqueue, Repeats, dispatch
from webmail.sync.purge import purge

log = logging.getLogger(__name__)
TICK = 1.0
PURGE_EVERY = 3600.0
REPEAT_AFTER = 30.0


class Command(BaseCommand):
    help = "Queues due accounts, messages and bodies once a second, until it is told to end."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        run(stop)


def tick(repeats: Repeats, *, put: Enqueue = enqueue) -> None:
    """Queues what is due, with what dead workers left behind. Raises DatabaseError."""
    recovered = recover()
    if recovered:
        log.warning("recovered %d messages whose worker died", recovered)
    dispatch(repeats, put=put)


def run(stop: threading.Event) -> None:
    """Ticks until told to stop; a database or broker that is away is waited for."""
    repeats = Repeats(REPEAT_AFTER, time.monotonic)
    purge_at = time.monotonic() + 60
    while not stop.wait(TICK):
        try:
            tick(repeats)
            if time.monotonic() >= purge_at:
                purge_at = time.monotonic() + PURGE_EVERY
                log.info("purged %d rows", purge())
        except DatabaseError as error:
            log.warning("database away: %s", type(error).__name__)
            close_old_connections()
            stop.wait(2 * TICK)
