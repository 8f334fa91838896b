"""Downloads of 100 MB: the web server holds none. Apart from the rest, since the live processes work for themselves."""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]  # has no types
import pytest
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.app.conftest import somebody
from tests.app.test_files import part, with_parts
from tests.servers.large_files import MIB, MOST_MIB, film
from tests.support.live import Live

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_web_server_sends_it_alone_and_in_an_archive(live: Live) -> None:
    who = somebody("Alice")
    who.account.next_run_at = factories.NOON.replace(year=2099)
    who.account.save()
    placement = with_parts(who, part(who, "2", film()), part(who, "3", film()[: 10 * MIB], filename="b.mp4"))
    urls = {
        reverse("mail:attachment", args=[placement.message_id, "2"]): len(film()),
        reverse("mail:attachments", args=[placement.message_id]): len(film()) + 10 * MIB,
    }
    client = Client()
    client.force_login(who.user)
    fetch(live, client, reverse("mail:attachments", args=[placement.message_id]), most=MIB)  # what is loaded late
    pids = [process.pid for process in web_processes(live)]
    for url, size in urls.items():
        before = {pid: resident(pid, "VmRSS") for pid in pids}
        for pid in pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        assert fetch(live, client, url) >= size
        grown = max((resident(pid, "VmHWM") - before[pid]) // 1024 for pid in pids)
        assert grown < MOST_MIB, f"{url}: {grown} MiB more"


def fetch(live: Live, client: Client, url: str, *, most: int = 2**40) -> int:
    """How many octets came; hangs up after ``most``."""
    connection = http.client.HTTPConnection(urlsplit(live.url).netloc, timeout=60)
    cookie = client.cookies["sessionid"].value
    connection.request("GET", url, headers={"Cookie": f"sessionid={cookie}"})
    response = connection.getresponse()
    assert response.status == 200
    count = 0
    while count < most and (piece := response.read(MIB)):
        count += len(piece)
    connection.close()
    return count


def web_processes(live: Live) -> list[psutil.Process]:
    process = psutil.Process(live.running["web"].child.pid)
    return [process, *process.children(recursive=True)]


def resident(pid: int, what: str) -> int:
    """In KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))
