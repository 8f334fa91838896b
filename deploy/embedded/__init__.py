"""The embedded default: every server Mailroom needs, started as child processes of one supervisor."""
