"""Tests against real mail servers: `dovecot` and `submission` come from `tests.support.servers`."""
