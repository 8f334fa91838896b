"""Benchmarks, run by deploy/bench. A module here registers functions with `@bench` of `tests.bench.runner`."""
