"""The soak as a command: a short one holds, Ctrl-C ends it early and it still checks, and it can fail."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.soak_run import Soak
from tests.servers.soak_seats import Seat
from tests.servers.soaking import Elsewhere, Person
from tests.servers.sync_rig import imap_account, message, sync
from tests.soak import report
from tests.support.dovecot import Dovecot
from webmail.models import MailboxThread, Placement

ROOT = Path(__file__).resolve().parent.parent.parent


def begin(minutes: str, accounts: int) -> subprocess.Popen[str]:
    words = ["--minutes", minutes, "--accounts", str(accounts), "--seed", "7"]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.soak", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_short_soak_holds() -> None:
    running = begin("0.5", 5)
    out, err = running.communicate()
    told = {name: int(number) for number, name in re.findall(r"(\d+) ([a-z]+)", out)}
    assert "5 passed, 0 failed (--seed 7)" in out, err
    assert running.returncode == 0
    for what in ("passes", "kills", "here", "there", "restarts"):
        assert told[what], out


def test_ended_early_it_still_checks() -> None:
    running = begin("60", 1)
    assert running.stdout is not None
    assert running.stdout.readline().startswith("1 accounts for 60 minutes")
    running.send_signal(signal.SIGINT)
    out, err = running.communicate()
    assert "1 passed, 0 failed" in out, err
    assert running.returncode == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wrong", ["a placement", "a summary"])
def test_a_violation_ends_it_with_one(dovecot: Dovecot, capsys: pytest.CaptureFixture[str], wrong: str) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [message(n) for n in range(5)])
    sync(account)
    if wrong == "a placement":
        Placement.objects.filter(account=account).order_by("pk")[:1].get().delete()
    else:
        MailboxThread.objects.filter(account=account).update(unread_count=77)
    chance = random.Random(1)
    seat = Seat(account, Person(account, chance), Elsewhere(dovecot, account, chance), before=5)
    soak = Soak(dovecot, [], 1, [seat])
    assert report(soak, soak.verdicts(), minutes=0.0) == 1
    assert "0 passed, 1 failed (--seed 1)" in capsys.readouterr().out
