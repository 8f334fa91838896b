"""Messages with pictures on other servers, stored as the sync stores them."""

from typing import Any

from tests import factories
from webmail.models import Mailbox, MessageBody, Placement
from webmail.render.html import SANITIZER_VERSION, sanitize
from webmail.render.pictures import Places
from webmail.render.values import Policy

SENDER = ("Amara Okafor", "amara@pier4.example")
BELIEVED = "mx.harbourlane.example"  # the service whose results count for the accounts of these messages
VOUCHED = f"{BELIEVED}; dmarc=pass header.from=pier4.example"
FORGED = f"{BELIEVED}; dmarc=fail header.from=pier4.example"


def newsletter(box: Mailbox, *urls: str, body: str = "", results: str = "", **fields: Any) -> Placement:
    """A message showing the pictures, with this Authentication-Results field, if any."""
    server = box.account.incoming
    server.authentication_names = [BELIEVED]
    server.save(update_fields=["authentication_names"])
    html = body or "<h1>News</h1>" + "".join(f'<p><img src="{url}" alt="picture"></p>' for url in urls)
    places = Places()
    clean = sanitize(html, policy=Policy(cid_url=lambda cid: None, image_url=places.place))
    extra = {"authentication_results": [results]} if results else {}
    placement = factories.message(box, sender=SENDER, html=clean.html, extra=extra, **fields)
    MessageBody.objects.filter(message=placement.message).update(
        clean_version=SANITIZER_VERSION,
        stylesheet=clean.stylesheet,
        remote_images=clean.remote_images,
        remote_backgrounds=clean.remote_backgrounds,
        trackers=clean.trackers,
        image_urls=places.urls,
    )
    return placement
