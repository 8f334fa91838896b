"""How long a newcomer waits: deploy/up in a copy of the checkout, until the first page answers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded import state
from deploy.embedded.ports import free_port
from tests.bench.registry import bench
from tests.bench.servers import Servers

ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def bare_copy() -> Iterator[Path]:
    """The checkout's files without environment, state and caches, removed afterwards."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    with tempfile.TemporaryDirectory(prefix="mailroom-up-") as name:
        folder = Path(name)
        for path in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / path).is_file():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, folder / path)
        try:
            yield folder
        finally:
            if (folder / ".state").exists():
                state.reset(folder / ".state")  # as root the database lies elsewhere


def seconds_until_ready(folder: Path) -> float:
    """Run deploy/up there, stop it once pages answer, and return how long that took."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAILROOM_", "DJANGO_", "PYTHON"))}
    env |= {"UV_CACHE_DIR": str(folder / ".uv"), "PIP_NO_CACHE_DIR": "1"}  # a newcomer has no downloads kept
    begin = time.perf_counter()
    with subprocess.Popen(
        [folder / "deploy" / "up", "--port", str(free_port()), "--state", folder / ".state"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        assert run.stdout is not None
        said = []
        try:
            for line in run.stdout:
                said.append(line)
                if line.startswith("Mailroom ready:"):
                    return time.perf_counter() - begin
        finally:
            run.send_signal(signal.SIGTERM)
    raise RuntimeError("deploy/up did not become ready:\n" + "".join(said))


@bench("up-cold", "s", 30)
def up_cold(_: Servers) -> float:
    """From a fresh clone to the first page, with an empty download cache."""
    with bare_copy() as folder:
        return seconds_until_ready(folder)


@bench("up-second", "s", 5)
def up_second(_: Servers) -> float:
    """The next start on what the first one made."""
    with bare_copy() as folder:
        seconds_until_ready(folder)
        return seconds_until_ready(folder)
