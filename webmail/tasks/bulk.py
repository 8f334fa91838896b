"""Shells of the jobs that go on with what a person began and is too much for one request."""

from webmail.celery import app
from webmail.jobs import Job, enqueue
from webmail.services import bulk, merging


@app.task(name=Job.BULK.value)
def go_on(job_id: int) -> None:
    if bulk.advance(job_id):
        enqueue(Job.BULK, job_id)


@app.task(name=Job.MERGE.value)
def merge(merge_id: int) -> None:
    if merging.advance(merge_id):
        enqueue(Job.MERGE, merge_id)
