"""S50 by the real pages: whatever arrives is listed, opened, quoted and printed, shows something or says why not, and
brings nothing along that runs or calls.
"""

import os
import re
import time
from html import unescape
from pathlib import Path

import pytest
from django.urls import reverse

from tests.support.odd_mail import ODD
from webmail.models import Message
from webmail.render.plain import html_to_text

from .arriving import address_of, deliver
from .ground import World

pytestmark = pytest.mark.django_db

CORPUS = os.environ.get("MAILROOM_CORPUS", "")
SECONDS = 2  # of CPU, for a message to be taken in, and for each page about it
FRAME = re.compile(r'<iframe[^>]* src="(?:https?://[^/"]*)?(/m/[^"]*)"')
FILES = re.compile(r'class="(?:attachment-open|file-name)"')
ADMITTED = re.compile(r"<script nonce=\"[^\"]+\">|</?script>")
# what no frame may hold, whatever stands in a message
FORBIDDEN = re.compile(
    r"<(?:script|iframe|object|embed|form|input|button|base|link|meta|svg|math|template|dialog)\b"
    r"|<[^>]*\s(?:on[a-z]+|srcset|ping|formaction|background|poster)\s*="
    r"|<[^>]*\s(?:href|src)\s*=\s*[\"']?\s*(?:javascript|vbscript|data:text|data:image/svg|file:|blob:|/(?!/)|//)"
    r"|<img[^>]* src=\"https?:|@import|url\(\s*['\"]?(?:https?:)?//",
    re.IGNORECASE,
)


def corpus() -> list[Path]:
    found = [path for name in ("mime", "tnef") for path in Path(CORPUS, name).rglob("*")] if CORPUS else []
    return sorted(path for path in found if path.is_file())


def ask(who: World, url: str) -> str:
    began = time.process_time()
    response = who.client.get(url)
    text = response.getvalue().decode("utf-8", "replace")
    assert time.process_time() - began < SECONDS, url
    assert response.status_code == 200, url
    return text


def shown(who: World, message: Message) -> str:
    """All that its page shows of the message, in words; its frame and its print are looked at on the way."""
    page = ask(who, address_of(who.inbox, message))
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    special = re.findall(r"data-(?:note|protection)", page)
    words = ["a note"] * len(special) + ["a file"] * len(FILES.findall(page))
    words += re.findall(r'class="card (?:invite|contact)', page)
    for url in FRAME.findall(page):
        frame = ask(who, unescape(url))
        content = frame.partition("<body")[2]
        bare = ADMITTED.sub("", content)
        assert not FORBIDDEN.search(bare), FORBIDDEN.search(bare)
        words += html_to_text(content).split() + re.findall("<img", content)
        ask(who, unescape(url).partition("?")[0] + "print")
    return " ".join(words)


def opened(who: World, raw: bytes) -> str:
    began = time.process_time()
    message = deliver(who.inbox, raw)
    assert time.process_time() - began < SECONDS
    ask(who, reverse("mail:mailbox", args=[who.account.pk, who.inbox.pk]))
    ask(who, reverse("mail:headers", args=[message.pk]))
    ask(who, reverse("mail:source", args=[message.pk]))
    for mode in ("reply", "forward"):
        composer = ask(who, f"{reverse('mail:compose')}?reply={message.pk}&mode={mode}")
        assert "<script>alert" not in composer
    return shown(who, message)


@pytest.mark.parametrize("name", ODD)
def test_s50_odd_mail_is_opened(alice: World, name: str) -> None:
    assert opened(alice, ODD[name]()).strip()


@pytest.mark.skipif(not CORPUS, reason="MAILROOM_CORPUS names no folder of public mail")
@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_s50_public_mail_is_opened(alice: World, path: Path) -> None:
    assert opened(alice, path.read_bytes()).strip()
