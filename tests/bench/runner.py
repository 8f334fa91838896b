"""Runs benchmarks, each in a process of its own, and prints a table: `deploy/bench [NAME …] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.bench.registry import BENCHES, Row, load_all

HEADINGS = ("name", "value", "unit", "target", "holds")


def machine_facts() -> list[str]:
    """What the figures depend on, in lines."""
    info = Path("/proc/cpuinfo")
    models = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"machine: {models[0] if models else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB",
        f"system: {platform.system()} {platform.release()}, Python {platform.python_version()}",
        f"load before: {', '.join(f'{load:.2f}' for load in os.getloadavg())}",
    ]


def cells(row: Row) -> tuple[str, ...]:
    """A row as the table shows it."""
    sign = "≤" if row.better == "lower" else "≥"
    holds = {True: "yes", False: "NO", None: "–"}[row.holds]
    return (
        row.name,
        _number(row.value),
        row.unit,
        f"{sign} {_number(row.target)}" if row.target is not None else "–",
        holds,
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(rows: Iterable[Row]) -> str:
    """The rows under their headings, columns aligned."""
    lines = [HEADINGS, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def as_object(row: Row) -> dict[str, object]:
    """A row as JSON holds it, under the table's headings."""
    return {"name": row.name, "value": row.value, "unit": row.unit, "target": row.target, "holds": row.holds}


def measure_here(name: str, result: Path) -> None:
    """Run one benchmark in this process and leave its rows in the file."""
    from tests.bench.servers import Servers

    servers = Servers()
    try:
        rows = BENCHES[name].run(servers)
    finally:
        servers.stop()
    result.write_text(json.dumps([[row.name, row.value, row.unit, row.target, row.better] for row in rows]))


def measure_apart(name: str) -> list[Row] | None:
    """Run one benchmark in a process of its own; None when it failed, which it has explained."""
    with tempfile.TemporaryDirectory(prefix="mailroom-bench-") as folder:
        result = Path(folder) / "rows.json"
        done = subprocess.run([sys.executable, "-m", "tests.bench.runner", "--into", result, name], check=False)
        if done.returncode != 0 or not result.exists():
            return None
        return [Row(*values) for values in json.loads(result.read_text())]


def main(argv: Sequence[str] | None = None) -> int:
    """The command; the exit code is 1 when a benchmark failed to run or missed its target."""
    parser = argparse.ArgumentParser(prog="deploy/bench", description="Measure Mailroom against its targets.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which benchmarks (all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and end")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    load_all()
    if options.list:
        print("\n".join(sorted(BENCHES)))
        return 0
    if unknown := set(options.names) - set(BENCHES):
        parser.error(f"no benchmark called {', '.join(sorted(unknown))}; there are {', '.join(sorted(BENCHES))}")
    if options.into:
        measure_here(options.names[0], options.into)
        return 0
    return report(options.names or sorted(BENCHES), json_file=options.json)


def report(names: Sequence[str], *, json_file: Path | None) -> int:
    """Run the benchmarks one after the other and print and write their rows."""
    print("\n".join(machine_facts()), flush=True)
    rows: list[Row] = []
    failed: list[str] = []
    for name in names:
        print(f"running {name} …", file=sys.stderr, flush=True)
        measured = measure_apart(name)
        rows += measured or []
        if measured is None:
            failed.append(name)
    print(table(rows))
    if json_file:
        json_file.write_text(json.dumps([as_object(row) for row in rows], indent=1) + "\n")
    if failed:
        print(f"These did not run to their end: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed or any(row.holds is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
