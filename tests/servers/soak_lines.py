"""The way of one account of the soak to its server, which breaks and slows down at random."""

from __future__ import annotations

import random
from collections import Counter

from tests.support.faultproxy import Action, Direction, FaultProxy, Rule, cut, delay, half_close, split, without

UNITS = (b"", b"FETCH", b"OK", b"EXISTS|VANISHED", b"STORE|MOVE|COPY|EXPUNGE", b"RETR|DELE|QUIT")


class Line:
    """The way of one account to Dovecot, which breaks now and then."""

    def __init__(self, proxy: FaultProxy, hidden: tuple[str, ...]) -> None:
        self.proxy, self.hidden = proxy, hidden
        self.hits = Counter[str]()  # cuts and delays up to the last mending
        self._due: tuple[str, Rule] | None = None
        self.mend()

    def mend(self) -> None:
        """No trouble any more; what is hidden stays so."""
        if self._due is not None:
            name, rule = self._due
            self.hits[name] += rule.hits
            self._due = None
        self.proxy.clear()
        self.proxy.commands.clear()
        if self.hidden:
            self.proxy.rule("to_client", rb"CAPABILITY", without(*self.hidden), nth=None)

    def trouble(self, chance: random.Random) -> None:
        """One thing goes wrong at some unit soon."""
        self.mend()
        if chance.random() < 0.1:
            self.proxy.hang_up()
            self.hits["cuts"] += 1
            return
        name, action = self._fault(chance)
        directions: list[Direction] = ["to_client", "to_server"]
        pattern = chance.choice(UNITS)
        rule = self.proxy.rule(chance.choice(directions), pattern, action, nth=chance.randint(1, 12))
        self._due = name, rule

    @staticmethod
    def _fault(chance: random.Random) -> tuple[str, Action]:
        return chance.choice(
            [
                ("cuts", cut(chance.randint(0, 4000))),
                ("cuts", cut(chance.randint(0, 100))),
                ("cuts", cut(chance.randint(0, 200), reset=True)),
                ("cuts", half_close()),
                ("delays", delay(chance.uniform(0.05, 1.0))),
                ("delays", split(chance.randint(1, 9))),
            ]
        )
