"""Shells of the jobs on the way out; webmail.delivery does them, webmail.sync what stays here."""

from webmail.celery import app
from webmail.delivery import draft_copy, file_sent, reminding, second_copy, submit
from webmail.jobs import Job
from webmail.sync import local_sent


@app.task(name=Job.SEND.value)
def send(outgoing_id: int) -> None:
    submit.submit(outgoing_id)


@app.task(name=Job.FILE_SENT.value)
def file_copy_in_sent(outgoing_id: int) -> None:
    if not local_sent.keep_sent(outgoing_id):
        file_sent.file_sent(outgoing_id)
        second_copy.look(outgoing_id)


@app.task(name=Job.SAVE_DRAFT.value)
def save_draft(draft_id: int) -> None:
    draft_copy.follow(draft_id)


@app.task(name=Job.REMIND.value)
def remind(outgoing_id: int) -> None:
    reminding.look(outgoing_id)
