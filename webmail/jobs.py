"""Names of the background jobs, and the only way to start one: after the transaction that recorded its reason commits.

Knows Celery, not the tasks, so that services and tasks never import each other. A lost message costs latency only:
everything due is found again by the dispatcher's scan of Postgres.
"""

import logging
from enum import StrEnum
from functools import partial

from django.db import transaction

from .celery import app

log = logging.getLogger(__name__)


class Job(StrEnum):
    SYNC_ACCOUNT = "webmail.sync_account"
    BACKFILL_ACCOUNT = "webmail.backfill_account"
    FETCH_BODY = "webmail.fetch_body"
    FETCH_PART = "webmail.fetch_part"
    READ_NESTED = "webmail.read_nested"
    SEND = "webmail.send"
    FILE_SENT = "webmail.file_sent"
    SAVE_DRAFT = "webmail.save_draft"
    REMIND = "webmail.remind"
    MERGE = "webmail.merge"
    BULK = "webmail.bulk"
    FETCH_IMAGE = "webmail.fetch_image"
    UNSUBSCRIBE = "webmail.unsubscribe"
    SYNC_CARDS = "webmail.sync_cards"


QUEUES = {
    Job.SYNC_ACCOUNT: "sync",
    Job.BACKFILL_ACCOUNT: "backfill",
    Job.FETCH_BODY: "interactive",
    Job.FETCH_PART: "interactive",
    Job.READ_NESTED: "interactive",
    Job.SEND: "send",
    Job.FILE_SENT: "send",
    Job.SAVE_DRAFT: "send",
    Job.REMIND: "send",
    Job.MERGE: "interactive",
    Job.BULK: "interactive",
    Job.FETCH_IMAGE: "images",
    Job.UNSUBSCRIBE: "images",  # the one queue whose workers connect to web servers
    Job.SYNC_CARDS: "images",
}

LASTS = {Job.FETCH_IMAGE: 120}  # seconds in which a job has to begin, or nobody waits for it any more


def enqueue(job: Job, *ids: int | str) -> bool:
    """Starts the job now; False when the broker cannot be reached, which the dispatcher's scan makes good."""
    try:
        app.send_task(
            job.value, args=list(ids), queue=QUEUES[job], retry=False, ignore_result=True, expires=LASTS.get(job)
        )
    except Exception as error:  # kombu raises its own, redis-py's and OSError
        log.warning("broker unreachable, %s waits for the dispatcher: %s", job.value, type(error).__name__)
        return False
    return True


def enqueue_on_commit(job: Job, *ids: int | str) -> None:
    transaction.on_commit(partial(enqueue, job, *ids))
