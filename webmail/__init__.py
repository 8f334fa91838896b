"""Mailroom's project package and mail app. The web half answers from Postgres; the wire half talks to mail servers."""
