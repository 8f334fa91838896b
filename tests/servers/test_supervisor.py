"""Children of deploy/up: they end with it, come back when they die, and a vital one ends the run."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.embedded.supervisor import ChildFailed, Service, Stopped, Supervisor

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(said: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(say=said.append)
    yield made
    made.stop_all()


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., Service]:
    def make(script: str, *, vital: bool = False, patience: float = 5.0) -> Service:
        return Service("helper", ["sh", "-c", script], tmp_path / "helper.log", vital=vital, patience=patience)

    return make


def wait_for(condition: Callable[[], bool], patience: float = 20.0) -> bool:
    deadline = time.monotonic() + patience
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_child_that_dies_is_reported_and_started_again(
    supervisor: Supervisor, said: list[str], shell: Callable[..., Service], tmp_path: Path
) -> None:
    marks = tmp_path / "starts"
    script = f"echo x >> {marks}; echo the disk is full; [ $(wc -l < {marks}) -ge 2 ] && sleep 60; exit 3"
    supervisor.start(shell(script))

    def stop_after_the_second_start() -> None:
        wait_for(lambda: marks.exists() and marks.read_text() == "x\nx\n")
        supervisor.stopping.set()

    threading.Thread(target=stop_after_the_second_start).start()
    supervisor.watch()
    assert marks.read_text() == "x\nx\n"
    assert "helper ended with code 3." in said[0]
    assert "the disk is full" in said[0]


def test_a_vital_child_ends_the_run_in_words(supervisor: Supervisor, shell: Callable[..., Service]) -> None:
    supervisor.start(shell("echo no space left; kill -9 $$", vital=True))
    with pytest.raises(ChildFailed, match=r"(?s)was ended by SIGKILL.*no space left"):
        supervisor.watch()


def test_waiting_ends_when_the_child_does(supervisor: Supervisor, shell: Callable[..., Service]) -> None:
    child = supervisor.start(shell("echo wrong option; exit 2"))
    with pytest.raises(ChildFailed, match="wrong option"):
        supervisor.until(lambda: False, of=child, patience=30, what="Starting")


def test_waiting_ends_when_somebody_stops_the_run(supervisor: Supervisor, shell: Callable[..., Service]) -> None:
    child = supervisor.start(shell("sleep 60"))
    supervisor.stopping.set()
    with pytest.raises(Stopped):
        supervisor.until(lambda: False, of=child, patience=30, what="Starting")


def test_a_deaf_child_is_killed_with_all_it_started(
    supervisor: Supervisor, shell: Callable[..., Service], tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    child = supervisor.start(shell(f"trap '' TERM; (sleep 600 & echo $! > {pid}; wait); sleep 600", patience=0.3))
    assert wait_for(lambda: pid.exists() and pid.read_text().strip() != "")
    supervisor.stop_all()
    assert child.child.returncode == -signal.SIGKILL
    assert wait_for(lambda: not alive(int(pid.read_text())))


def test_killing_the_supervisor_ends_its_children(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from deploy.embedded.process import spawn\n"
        "print(spawn(['sleep', '600'], log=Path(sys.argv[1])).pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "log"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    assert wait_for(lambda: not alive(child))


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and was not yet collected counts as gone."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
