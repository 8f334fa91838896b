"""Shell of the job that goes on with an action on very many messages."""

from webmail.celery import app
from webmail.jobs import Job, enqueue
from webmail.services import bulk


@app.task(name=Job.BULK.value)
def go_on(job_id: int) -> None:
    if bulk.advance(job_id):
        enqueue(Job.BULK, job_id)
