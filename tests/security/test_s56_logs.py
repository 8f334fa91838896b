"""S56 in the processes themselves: what the running application wrote to its logs."""

import time

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import MailAccount
from deploy.demo.tls import DemoCertificate
from tests.support.live import Live

from .secrets_seen import seen
from .trap import Trap
from .trapped import SECRETS, account_at

pytestmark = pytest.mark.django_db(transaction=True)


@SECRETS
def test_s56_logs_of_the_running_application(
    secret: str, live: Live, traps: dict[str, Trap], certificates: DemoCertificate
) -> None:
    """An account added by the form, tried by the workers, refused by the server: the processes' own logs."""
    known = account_at(traps, certificates, "x")
    MailAccount.objects.filter(pk=known.pk).update(state="paused")
    client = Client()
    client.force_login(known.user)
    ports = {"incoming_port": traps["imap"].port, "outgoing_port": traps["smtp"].port}
    data = {"address": "new@x.example", "password": secret, "incoming_host": "localhost", "outgoing_host": "localhost"}
    assert client.post(reverse("mail:account_add"), data | ports).status_code == 302
    added = MailAccount.objects.latest("pk")
    deadline = time.monotonic() + 20
    while added.error_code != "auth" and time.monotonic() < deadline:
        time.sleep(0.05)
        added.refresh_from_db()
    assert added.error_code == "auth"
    assert seen(secret, bytes(traps["imap"].sealed))
    logs = {name: service.log.read_bytes() for name, service in live.services.items()}
    assert b"celery" in logs["worker-sync"]
    assert seen(secret, *logs.values()) == []
