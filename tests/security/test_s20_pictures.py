"""S20: a picture of a few kilobytes that fills gigabytes once decoded is shown nowhere; it can be downloaded."""

import pytest
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.unit.mime.test_pixels import picture
from webmail import storage
from webmail.models import MessageBody
from webmail.queries import previews
from webmail.queries.reading import frame_token

from .ground import World


def addresses(of: World, data: bytes, kind: str = "image/png") -> dict[str, str]:
    """Every way a picture of a message reaches a browser."""
    part = {"path": "2", "type": kind, "charset": "", "encoding": "", "size": len(data), "filename": "a.png"}
    part |= {"disposition": "attachment", "cid": "c", "digest": storage.put(of.account.pk, data), "role": "attachment"}
    message = factories.message(of.inbox, text="x", parts=[part]).message_id
    assert MessageBody.objects.get(message=message).parts == [part]
    file = previews.token(of.user, message, "2", salt=previews.FILE_SALT)
    return {
        "in the text": reverse("mail:inline_part", args=[frame_token(of.user, message), "2"]),
        "by token": reverse("mail:file", args=[file]),
        "inline": reverse("mail:attachment", args=[message, "2"]) + "?inline=1",
        "page": reverse("mail:preview", args=[message, "2"]),
        "download": reverse("mail:attachment", args=[message, "2"]),
    }


def opened(of: World, data: bytes, kind: str = "image/png") -> dict[str, bool]:
    """By which of them a browser would decode it."""
    found = {}
    for way, url in addresses(of, data, kind).items():
        client = Client() if way in ("in the text", "by token") else of.client
        response = client.get(url)
        if way == "page":
            found[way] = b"<img" in response.content
        else:
            said = response.headers.get("Content-Disposition", "")
            found[way] = response.status_code == 200 and not said.startswith("attachment")
    return found


EVERYWHERE = {"in the text": True, "by token": True, "inline": True, "page": True, "download": False}


def test_s20_an_ordinary_picture_is_shown(alice: World) -> None:
    assert opened(alice, picture(640, 480)) == EVERYWHERE


def test_s20_a_bomb_is_not(alice: World) -> None:
    bomb = picture(15_000, 15_000)
    assert len(bomb) < 60_000
    assert opened(alice, bomb) == dict.fromkeys(EVERYWHERE, False)
    download = addresses(alice, bomb)["download"]
    assert alice.client.get(download).status_code == 200


@pytest.mark.parametrize("data", [b"<svg onload=alert(1)>", b"", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_s20_what_is_no_picture_is_shown_as_none(alice: World, data: bytes) -> None:
    assert opened(alice, data) == dict.fromkeys(EVERYWHERE, False)
