"""What a benchmark is: a name, a unit, a target, and a function that measures."""

from __future__ import annotations

import importlib
import pkgutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import tests.bench

if TYPE_CHECKING:
    from tests.bench.servers import Servers

Better: TypeAlias = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; without a target it only informs."""

    name: str
    value: float
    unit: str
    target: float | None = None
    better: Better = "lower"

    @property
    def holds(self) -> bool | None:
        """Whether the value reaches the target; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.better == "lower" else self.value >= self.target


Measured: TypeAlias = "float | Sequence[Row]"
Function: TypeAlias = "Callable[[Servers], Measured]"


@dataclass(frozen=True, slots=True)
class Bench:
    """A registered benchmark. The function gets the private servers, which start when it asks for them."""

    name: str
    unit: str
    target: float | None
    better: Better
    function: Function

    def run(self, servers: Servers) -> list[Row]:
        """Measure; a single number becomes a row of the benchmark's own name."""
        measured = self.function(servers)
        if isinstance(measured, int | float):
            return [Row(self.name, float(measured), self.unit, self.target, self.better)]
        return list(measured)


BENCHES: dict[str, Bench] = {}


def bench(
    name: str, unit: str, target: float | None = None, *, better: Better = "lower"
) -> Callable[[Function], Function]:
    """Register a function that returns a number in `unit`, or rows of its own."""

    def register(function: Function) -> Function:
        if name in BENCHES:
            raise ValueError(f"There are two benchmarks called {name}.")
        BENCHES[name] = Bench(name, unit, target, better, function)
        return function

    return register


def load_all() -> None:
    """Import every module beside this one, which registers what it holds."""
    for module in pkgutil.iter_modules(tests.bench.__path__):
        if module.name != "runner":
            importlib.import_module(f"tests.bench.{module.name}")


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds that repeated calls took."""

    seconds: tuple[float, ...]

    @property
    def p50(self) -> float:
        return statistics.median(self.seconds)

    @property
    def p95(self) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]


def timed(call: Callable[[], object], *, repeat: int = 40, warm: int = 5) -> Times:
    """How long a call takes: `warm` calls are not counted, `repeat` are."""
    taken = []
    for turn in range(warm + repeat):
        begin = time.perf_counter()
        call()
        if turn >= warm:
            taken.append(time.perf_counter() - begin)
    return Times(tuple(taken))
