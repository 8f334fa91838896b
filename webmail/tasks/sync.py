"""Shells of the jobs that read and write mail accounts. Each may run twice or never; Postgres knows what is due."""

from webmail.celery import app
from webmail.jobs import Job, enqueue
from webmail.sync import bodies, nested
from webmail.sync.account import Result
from webmail.sync.account import sync_account as work_account


@app.task(name=Job.SYNC_ACCOUNT.value)
def sync_account(account_id: int) -> None:
    _go_on(account_id, work_account(account_id))


@app.task(name=Job.BACKFILL_ACCOUNT.value)
def backfill_account(account_id: int) -> None:
    _go_on(account_id, work_account(account_id, older=True))


@app.task(name=Job.FETCH_BODY.value)
def fetch_body(message_id: int) -> None:
    bodies.fetch_body(message_id)


@app.task(name=Job.FETCH_PART.value)
def fetch_part(message_id: int, path: str) -> None:
    bodies.fetch_part(message_id, path)


@app.task(name=Job.READ_NESTED.value)
def read_nested(message_id: int, path: str) -> None:
    nested.read_nested(message_id, path)


def _go_on(account_id: int, result: Result) -> None:
    """New mail before old mail: older windows wait in their own queue."""
    if result.again:
        enqueue(Job.SYNC_ACCOUNT, account_id)
    elif result.older:
        enqueue(Job.BACKFILL_ACCOUNT, account_id)
