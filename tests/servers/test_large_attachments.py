"""Attachments of 100 MB: no process holds one, neither the worker that brings it nor the server that sends it."""

from __future__ import annotations

import base64
import hashlib
import http.client
from pathlib import Path
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]  # has no types
import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import MailAccount
from tests import factories
from tests.app.conftest import somebody
from tests.app.test_files import part, with_parts
from tests.servers.large_files import MIB, MOST_MIB
from tests.servers.sync_rig import imap_account, sync
from tests.support.dovecot import Dovecot
from tests.support.live import Live
from tests.support.workers import Workers
from webmail import storage
from webmail.models import Message, MessageBody
from webmail.sync import bodies, warm

pytestmark = pytest.mark.django_db(transaction=True)
JOBS = "tests.servers.large_files:"
DATA = bytes(range(57)) * (100 * MIB // 57 + 1)
HEAD = (
    b"From: Ana <ana@x.test>\r\nSubject: Film\r\nMessage-ID: <film@x.test>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHere it is.\r\n"
    b"--b\r\nContent-Type: video/mp4; name=film.mp4\r\nContent-Disposition: attachment\r\n"
)


def letter(encoding: bytes) -> bytes:
    line = base64.b64encode(DATA[:57]) if encoding == b"base64" else b"M" + b"0" * 60
    lines = (line + b"\r\n") * (len(DATA) // 57)
    if encoding == b"x-uuencode":
        lines = b"begin 644 film.mp4\r\n" + lines + b"`\r\nend\r\n"
    return HEAD + b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + lines + b"--b--\r\n"


def entry(account: MailAccount, message_id: int) -> dict[str, object]:
    parts: list[dict[str, object]] = MessageBody.objects.get(account=account, message=message_id).parts
    return next(row for row in parts if row["path"] == "2")


@pytest.mark.parametrize("encoding", [b"base64", b"x-uuencode"])
def test_a_worker_streams_it_from_the_server(dovecot: Dovecot, workers: Workers, encoding: bytes) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [letter(encoding)])
    sync(account)
    message = Message.objects.get(account=account)
    bodies.fetch_body(message.pk)
    warm.sweep(older_than=-1)
    assert workers.run(JOBS + "stream_part", message.pk, "2") == 0
    digest = str(entry(account, message.pk)["digest"])
    if encoding == b"base64":
        files = [path.stat().st_size for path in dovecot.home.rglob("cur/*") if path.stat().st_size > 50 * MIB]
        log = (dovecot.home / "dovecot.log").read_text(errors="replace")[-2000:]
        assert digest == hashlib.sha256(DATA).hexdigest(), f"on the server: {files}\n{log}"
    with storage.open_file(account.pk, digest) as file:
        assert file.size > 70 * MIB


def test_a_worker_takes_it_out_of_a_message_in_storage(workers: Workers) -> None:
    who = somebody("Alice")
    raw = letter(b"base64")
    placement = with_parts(who)
    body = MessageBody.objects.get(message=placement.message_id)
    body.raw_digest, body.parts = storage.put(who.account.pk, raw), []
    body.save()
    assert workers.run(JOBS + "part_of_stored", placement.message_id, "2") == 0
    assert entry(who.account, placement.message_id)["digest"] == hashlib.sha256(DATA).hexdigest()


def test_the_web_server_sends_it_alone_and_in_an_archive(live: Live) -> None:
    who = somebody("Alice")
    who.account.next_run_at = factories.NOON.replace(year=2099)
    who.account.save()
    placement = with_parts(who, part(who, "2", DATA), part(who, "3", DATA[: 10 * MIB], filename="b.mp4"))
    urls = {
        reverse("mail:attachment", args=[placement.message_id, "2"]): len(DATA),
        reverse("mail:attachments", args=[placement.message_id]): len(DATA) + 10 * MIB,
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
