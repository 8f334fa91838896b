"""S50 and S51: whatever arrives is read to its end and shown as something."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bench.mailbag import Mailbag
from tests.support.bombs import ROOT, read
from webmail.mime.parse import parse_message

CORPUS = os.environ.get("MAILROOM_CORPUS", "")
BAG = Mailbag(11)
LETTERS = [BAG.message() for _ in range(12)]
MOST_SECONDS = 120  # of CPU for all of them together, which take about ten; one that backtracks takes hours


def corpus() -> list[Path]:
    folders = ("mime", "tnef")
    found = [path for name in folders for path in Path(CORPUS, name).rglob("*") if path.is_file()] if CORPUS else []
    return sorted(found)


@pytest.mark.skipif(not CORPUS, reason="MAILROOM_CORPUS names no folder of public mail")
def test_s50_public_mail_is_at_hand() -> None:
    assert len(corpus()) > 100


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_s50_public_files_are_read_and_shown(path: Path) -> None:
    raw = path.read_bytes()
    assert parse_message(raw).problem != "unreadable"
    body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[2].strip()
    assert read(raw) > 0 or not body


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_s50_damaged_mail_is_read(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(LETTERS))[:40_000])
    for _ in range(data.draw(st.integers(1, 12))):
        place = data.draw(st.integers(0, len(raw) - 1))
        piece = data.draw(st.sampled_from([b"", b"\0", b"\r\n\r\n", b"--", b"=", b'"', b"<", b"\xff\xfe", b"(", b":"]))
        raw[place : place + data.draw(st.integers(0, 40))] = piece
        raw = raw or bytearray(b"\n")
    assert parse_message(bytes(raw)).problem != "unreadable"
    read(bytes(raw))


def test_s51_no_text_holds_a_pattern_up() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.worst_texts"],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "webmail.settings.test"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1_000:]
    assert len(done.stdout.splitlines()) > 15
