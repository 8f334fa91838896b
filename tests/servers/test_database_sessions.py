"""A process that freezes in a transaction does not hold up the others."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest
from django.db import connection, transaction

from accounts.models import Organisation
from deploy.embedded.postgres import database_url
from tests.stack import PG_SOCKETS
from webmail.settings import sessions

pytestmark = pytest.mark.django_db(transaction=True)


def another(options: str) -> psycopg.Connection:
    """A session of another process on the test database."""
    at = connection.get_connection_params()
    return psycopg.connect(host=at["host"], user=at["user"], dbname=at["dbname"], options=options)


@pytest.mark.parametrize("role", ["web", "worker"])
def test_row_locks_of_a_frozen_process_are_given_free(role: str) -> None:
    row = Organisation.objects.create(name="Held")
    with another(sessions.limits(role, idle=0.2)) as frozen:
        frozen.execute("SELECT 1 FROM accounts_organisation WHERE id = %s FOR UPDATE", [row.pk])
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '20s'")  # else a failure would be to wait for ever
            assert Organisation.objects.filter(pk=row.pk).update(name="Free") == 1
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            frozen.execute("SELECT 1")


def test_a_waiting_page_outlasts_a_frozen_worker() -> None:
    assert 0 < sessions.IDLE_SECONDS["web"] <= sessions.IDLE_SECONDS["worker"] < sessions.STATEMENT_SECONDS["web"]


@pytest.mark.parametrize(("module", "role"), [("webmail.asgi", "web"), ("webmail.celery", "worker")])
def test_each_kind_of_process_has_its_limits(module: str, role: str) -> None:
    script = (
        f"import {module}, django; django.setup()\n"
        "from django.db import connection\n"
        "with connection.cursor() as cursor:\n"
        "    for name in ('idle_in_transaction_session_timeout', 'statement_timeout'):\n"
        '        cursor.execute("SELECT setting FROM pg_settings WHERE name = %s", [name])\n'
        "        print(cursor.fetchone()[0])\n"
        "connection.close_pool()\n"
    )
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "webmail.settings.prod",
        "MAILROOM_DATABASE_URL": database_url(PG_SOCKETS, "postgres"),
        "MAILROOM_SECRET_KEY": "only-for-tests",
        "MAILROOM_SITE_URL": "http://testserver",
        "MAILROOM_INSECURE_HTTP": "1",
    }
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert [int(line) for line in done.stdout.split()] == [
        sessions.IDLE_SECONDS[role] * 1000,
        sessions.STATEMENT_SECONDS[role] * 1000,
    ]
