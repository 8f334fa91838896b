"""Servers and pages that the tests drive: real ones, private to one test run."""
