"""What the benchmarks of sending share: a server that takes everything, somebody who writes, a composer over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests import stack
from tests.bench.edge import Edge, signed_in
from tests.bench.letters import Writer

if TYPE_CHECKING:
    from accounts.models import MailAccount
    from deploy.demo.tls import DemoCertificate

ROOT = Path(__file__).resolve().parent.parent.parent
_BOUNDARY = "bench-bench-bench"
_SCRIPT = {"Accept": "application/json"}


@dataclass(slots=True)
class Sink:
    """A running `tests.bench.sink`; `taken` and `different` are known once it has ended."""

    port: int
    ca_pem: str
    taken: int = 0
    different: int = 0


@contextmanager
def sink() -> Iterator[Sink]:
    """A submission server in a process of its own."""
    from deploy.demo.tls import ensure_certificate

    made: DemoCertificate = ensure_certificate(stack.RUN_DIR / "tls")
    argv: list[str | Path] = [sys.executable, "-m", "tests.bench.sink", made.cert, made.key]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        running = Sink(int(child.stdout.readline()), made.ca_pem)
        try:
            yield running
        finally:
            counts, _ = child.communicate(timeout=20)
            running.taken, running.different = (int(word) for word in counts.split())


def submits_to(account: MailAccount, port: int, ca_pem: str, *, security: str = "tls") -> None:
    """From now on the account hands its mail to that port of this machine, without a limit and without Undo."""
    from accounts.models import MailServer, User

    server, _ = MailServer.objects.get_or_create(
        organisation=account.organisation,
        protocol="smtp",
        host="localhost",
        port=port,
        defaults={"trusted": True, "ca_certificates": ca_pem, "security": security},
    )
    account.outgoing = server
    account.save(update_fields=["outgoing"])
    User.objects.filter(pk=account.user_id).update(undo_send_seconds=0)


@dataclass(slots=True)
class Composer:
    """The composer's script, as far as the server sees it: one message at a time."""

    edge: Edge
    identity: int
    draft: int = 0
    revision: int = 0

    @classmethod
    def of(cls, url: str, account: MailAccount) -> Composer:
        return cls(signed_in(url, account.user), account.identities.get().pk)

    def save(self, **fields: str) -> None:
        """A save by itself; the first makes the draft."""
        self._keep(self._post("save", fields))

    def send(self, **fields: str) -> tuple[int, float]:
        """Send is pressed: the id of what goes out, and the seconds until the page is free."""
        begin = time.perf_counter()
        told = self._post("send", fields)
        taken = time.perf_counter() - begin
        self.draft = self.revision = 0
        return int(told["sent"]), taken

    def attach(self, name: str, size: int, pieces: Callable[[], Iterable[bytes]]) -> None:
        """A file of that size, streamed as a browser does."""
        head = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        tail = f"\r\n--{_BOUNDARY}--\r\n".encode()

        def body() -> Iterator[bytes]:
            yield head
            yield from pieces()
            yield tail

        headers = _SCRIPT | {
            "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
            "Content-Length": str(len(head) + size + len(tail)),
        }
        status, answer = self.edge.submit(f"/compose/{self.draft}/files/", body(), **headers)
        self._keep(_told(status, answer))

    def _post(self, do: str, fields: dict[str, str]) -> dict[str, Any]:
        known = {"identity": self.identity, "draft": self.draft or "", "revision": self.revision, "do": do}
        form = urlencode(known | {"format": "html", **fields}).encode()
        return _told(*self.edge.submit("/compose/", form, **_SCRIPT))

    def _keep(self, told: dict[str, Any]) -> None:
        self.draft, self.revision = told["draft"], told["revision"]


def _told(status: int, answer: bytes) -> dict[str, Any]:
    if status != 200:
        raise RuntimeError(f"The composer's request was answered {status}: {answer[:300]!r}")
    told: dict[str, Any] = json.loads(answer)
    return told


def letter(writer: Writer, octets: int) -> str:
    """Paragraphs of about so many octets."""
    text = ""
    while len(text) < octets:
        text += f"<p>{writer.text(40, 140).capitalize()}</p>"
    return text


def until(done: Callable[[], object], *, seconds: float = 60.0, what: str) -> None:
    """Waits for the condition; a benchmark that waits in vain has failed."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} never came to pass.")
        time.sleep(0.02)
