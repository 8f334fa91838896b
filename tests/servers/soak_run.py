"""Many accounts at once, each with two owners, real workers that die, lines that break and servers that restart.

What happens is drawn from one seed, a source of chance for each thread; how the threads meet is the machine's doing.
"""

from __future__ import annotations

import imaplib
import random
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from django.db import connection

from deploy.embedded.process import last_lines
from tests.servers.soak_seats import Seat
from tests.servers.soaking import check_pop, settle, time_passes
from tests.servers.sync_rig import ListedOnly, check
from tests.stack import LOGS
from tests.support.dovecot import Dovecot
from tests.support.workers import SYNC, Workers
from webmail import live
from webmail.models import BulkJob, RemoteOp

BULK = "webmail.services.bulk:advance"
IMAP_PLACES = (
    "lease taken",
    "connected",
    "folders listed",
    "mailbox open",
    "before batch",
    "messages made",
    "before commit",
    "after batch",
    "before vanish",
    "before cursor",
    "cursor moved",
    "op claimed",
    "op sent",
    "before prefetch",
    "before rest",
)
POP_PLACES = ("lease taken", "pop spooled", "pop stored", "pop delete due", "pop quit", "before rest")
WITHIN = {"messages made", "before commit", "cursor moved"}  # a transaction: who stands still there holds up everybody
LANES, CROWDS = 3, 2  # threads that give workers jobs, and of each kind of owner
FOLDERS = 0.1  # of all deeds
PATIENCE = 300.0
Draw = random.Random


@dataclass(slots=True)
class Soak:
    """The run: `live_through` it, then `verdicts`, both in the thread that started the servers.

    ``asked``: signals that ask for the end; a handler could not set an Event on which the same thread waits.
    """

    dovecot: Dovecot
    workers: list[Workers]
    seed: int
    seats: list[Seat]
    asked: list[int] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def live_through(self, seconds: float) -> None:
        """Everything at once for so long, until somebody asks for the end, or something raised that must not."""
        threads = [self._thread(self._lane, number) for number in range(len(self.workers) // 2)]
        for crowd in (self._persons, self._programs):
            threads += [self._thread(crowd, number) for number in range(min(CROWDS, len(self.seats)))]
        try:
            self._weather(time.monotonic() + seconds)
        finally:
            self.stopping.set()
            for thread in threads:
                self._await(thread)
            for seat in self.seats:
                if seat.line is not None:
                    seat.line.mend()
                    self.counts += seat.line.hits

    def verdicts(self) -> dict[str, str]:
        """Address to what is wrong with the account once it has settled, "" when nothing is."""
        return {seat.account.address: self._verdict(seat) for seat in self.seats}

    def _verdict(self, seat: Seat) -> str:
        try:
            settle(seat.account)
            try:
                self._check(seat)
            except (
                ListedOnly
            ):  # Dovecot was killed between removing a mailbox and noting it: its own repair, then again
                with suppress(RuntimeError):  # it complains of what it repairs
                    self.dovecot.doveadm("force-resync", "-u", seat.account.address, "*")
                settle(seat.account)
                self._check(seat)
        except Exception:
            return traceback.format_exc()
        return ""

    def _check(self, seat: Seat) -> None:
        if seat.is_pop:
            check_pop(self.dovecot, seat.account, before=seat.before, mail=seat.elsewhere)
        else:
            check(self.dovecot, seat.account)

    def refused(self) -> int:
        """How many intents the server refused, which their owner would find under Not synced."""
        return RemoteOp.objects.filter(state=RemoteOp.State.FAILED).count()

    # --- those who act, each in a thread of its own ------------------------------------------------------------------

    def _thread(self, work: Callable[[int, Draw], None], number: int) -> threading.Thread:
        def run() -> None:
            try:
                work(number, Draw(f"{self.seed}:{work.__name__}:{number}"))
            except Exception:
                self.problems.append(traceback.format_exc())
                self.stopping.set()
            finally:
                connection.close()

        thread = threading.Thread(target=run, name=f"{work.__name__} {number}", daemon=True)
        thread.start()
        return thread

    def _await(self, thread: threading.Thread) -> None:
        """Until it has ended; one that hangs is a problem, told with where it stands."""
        thread.join(PATIENCE)
        if thread.is_alive() and thread.ident is not None:
            stack = traceback.format_stack(sys._current_frames()[thread.ident])
            self.problems.append(f"{thread.name} hangs:\n{''.join(stack)}")

    def _persons(self, number: int, chance: Draw) -> None:
        """The people of every second account."""
        while not self.stopping.wait(chance.uniform(0.0, 1.0)):
            seat = chance.choice(self.seats[number::CROWDS])
            self._count("here", seat.person.act(folders=0.0 if seat.is_pop else FOLDERS))

    def _programs(self, number: int, chance: Draw) -> None:
        """The other mail programs of every second account, and what is sent to it; Dovecot may be away."""
        while not self.stopping.wait(chance.uniform(0.0, 1.0)):
            seat = chance.choice(self.seats[number::CROWDS])
            try:
                if seat.is_pop or chance.random() < 0.3:
                    seat.elsewhere.deliver()
                    self._count("there", "delivered")
                else:
                    self._count("there", seat.elsewhere.act(folders=FOLDERS))
            except (OSError, imaplib.IMAP4.error):
                self._count("there", "nothing")
            if not seat.is_pop and chance.random() < 0.02:
                with suppress(RuntimeError):
                    if seat.elsewhere.renumber():
                        self._count("renumberings")

    def _lane(self, number: int, chance: Draw) -> None:
        """Gives jobs to two workers, one account after the other."""
        worker, rival = self.workers[2 * number : 2 * number + 2]
        with self._taken(chance) as seat:
            if seat is not None:  # the first dies, so that however short the run is, one did
                self._ended(seat, worker.run(SYNC, seat.account.pk, at="lease taken"))
        while not self.stopping.is_set():
            with self._taken(chance) as seat:
                if seat is not None:
                    self._job(seat, worker, rival, chance)
            time.sleep(0.02)

    @contextmanager
    def _taken(self, chance: Draw) -> Iterator[Seat | None]:
        """An account that no other lane works on."""
        with self._lock:
            free = [seat for seat in self.seats if not seat.busy]
            seat = chance.choice(free) if free else None
            if seat is not None:
                seat.busy = True
        try:
            yield seat
        finally:
            if seat is not None:
                seat.busy = False

    def _job(self, seat: Seat, worker: Workers, rival: Workers, chance: Draw) -> None:
        for job in BulkJob.objects.filter(mailbox__account=seat.account).exclude(state=BulkJob.State.ENDED):
            self._run(seat, worker, chance, BULK, job.pk)
        draw = chance.random()
        if draw < 0.15:
            self._stopped(seat, worker, rival, chance)
        else:
            self._run(seat, worker, chance, SYNC, seat.account.pk, older=draw > 0.5)
        seat.account.refresh_from_db()
        if seat.account.error_code == "internal":
            said = "\n".join(last_lines(LOGS / "workers.log", 40))
            raise AssertionError(f"{seat.account.address}: a pass ended with an error that is no server's\n{said}")

    def _run(self, seat: Seat, worker: Workers, chance: Draw, job: str, pk: int, **options: object) -> None:
        """A job that may be killed: at a named place, or at any moment."""
        draw, at, timer = chance.random(), "", None
        if draw < 0.3:
            at = self._place(seat, chance)
        elif draw < 0.5:
            timer = threading.Timer(chance.uniform(0.0, 0.6), _kill, [worker])
            timer.start()
        code = worker.run(job, pk, at=at, nth=chance.choice([1, 1, 2, 3]), **options)
        if timer is not None:
            timer.cancel()
            timer.join()
        self._ended(seat, code)

    def _ended(self, seat: Seat, code: int) -> None:
        self._count("passes")
        if code == -signal.SIGKILL:
            self._count("kills")
        self._later(seat)

    def _stopped(self, seat: Seat, worker: Workers, rival: Workers, chance: Draw) -> None:
        """A worker stands still; another comes, often once the first one's lease has run out; the first goes on."""
        place = self._place(seat, chance, but=WITHIN)
        stopped = worker.may_stop_at(place, SYNC, seat.account.pk, older=chance.random() < 0.5)
        self._count("passes")
        if stopped is None:
            return
        self._count("stops")
        if chance.random() < 0.7:
            self._later(seat)
        self._run(seat, rival, chance, SYNC, seat.account.pk)
        stopped.resume()
        self._later(seat)

    @staticmethod
    def _place(seat: Seat, chance: Draw, *, but: Collection[str] = ()) -> str:
        return chance.choice([at for at in (POP_PLACES if seat.is_pop else IMAP_PLACES) if at not in but])

    @staticmethod
    def _later(seat: Seat) -> None:
        """Time passes for the account: leases run out, and so do the places of the dead among its connections."""
        time_passes(seat.account)
        live.connection().delete(f"connections:{seat.account.pk}")

    # --- what nobody wishes for --------------------------------------------------------------------------------------

    def _weather(self, ends: float) -> None:
        """Lines break, Redis forgets, Dovecot restarts (at least once): until the end."""
        chance, begun, restart = Draw(f"{self.seed}:weather"), time.monotonic(), 0.5
        lines = [seat.line for seat in self.seats if seat.line is not None]
        while time.monotonic() < ends and not self.asked and not self.stopping.wait(0.5):
            for line in lines:
                if chance.random() < 0.1:
                    line.trouble(chance)
            if chance.random() < 0.02:
                live.connection().flushall()
                self._count("flushes of Redis")
            if time.monotonic() > begun + restart * (ends - begun) or chance.random() < 0.01:
                restart = 2.0
                self.dovecot.stop()
                self.stopping.wait(chance.uniform(0.0, 2.0))
                self.dovecot.start()
                self._count("restarts of Dovecot")

    def _count(self, *names: str) -> None:
        with self._lock:
            for name in names:
                self.counts[name] += 1


def _kill(worker: Workers) -> None:
    with suppress(ProcessLookupError, FileNotFoundError):  # it ended just now
        worker.kill()
