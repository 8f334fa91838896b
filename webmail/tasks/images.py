"""Shell of the image proxy's job. A queue of its own: other people's web servers are slow, and decoding takes time."""

from webmail.celery import app
from webmail.jobs import Job
from webmail.sync import remote_images


@app.task(name=Job.FETCH_IMAGE.value)
def fetch_image(message_id: int, key: str) -> None:
    remote_images.fetch_image(message_id, key)
