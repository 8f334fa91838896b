"""Messages with pictures on other servers, stored as the sync stores them, and what pages make of them."""

import re
from typing import Any

from django.test import Client
from django.urls import reverse

from tests import factories
from webmail.models import Mailbox, MessageBody, Placement
from webmail.render.html import SANITIZER_VERSION, sanitize
from webmail.render.pictures import Places
from webmail.render.values import Policy

URL = "https://img.pier4.test/head.png"
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


def page_url(placement: Placement, **query: str) -> str:
    address = reverse("mail:thread", args=[placement.account_id, placement.mailbox_id, placement.thread_id])
    return address + ("?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else "")


def page(client: Client, placement: Placement, url: str = "") -> str:
    return client.get(url or page_url(placement)).content.decode()


def frame(html: str) -> tuple[str, str]:
    """The document of the page's frame, and its policy."""
    found = re.search(r'<iframe[^>]* src="([^"]*)"', html)
    assert found
    response = Client().get(found[1])
    return response.content.decode(), response.headers["Content-Security-Policy"]


def shows(html: str) -> bool:
    document, policy = frame(html)
    asked, allowed = '<img src="/i/' in document.replace('alt="picture" ', ""), "/i/" in policy
    assert asked == allowed
    assert 'src="i/' not in document  # places are for what is stored
    assert "img.pier4.test" not in document
    return asked


def decide(client: Client, placement: Placement, do: str, back: str = "", **fields: str) -> str:
    """Where the form leads."""
    response = client.post(
        reverse("mail:images", args=[placement.message_id]), {"do": do, "next": back or page_url(placement), **fields}
    )
    assert response.status_code == 302
    return str(response.headers["Location"])
