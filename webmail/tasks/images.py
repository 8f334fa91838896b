"""Shells of the jobs that talk to web servers. A queue of its own: those are slow, and decoding pictures takes time."""

from webmail.celery import app
from webmail.jobs import Job, enqueue
from webmail.sync import cards, remote_images, unsubscribing


@app.task(name=Job.FETCH_IMAGE.value)
def fetch_image(message_id: int, key: str) -> None:
    remote_images.fetch_image(message_id, key)


@app.task(name=Job.UNSUBSCRIBE.value)
def unsubscribe(unsubscription_id: int) -> None:
    unsubscribing.ask_list(unsubscription_id)


@app.task(name=Job.SYNC_CARDS.value)
def sync_cards(server_id: int) -> None:
    if cards.sync_cards(server_id):
        enqueue(Job.SYNC_CARDS, server_id)
