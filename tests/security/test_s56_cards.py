"""S56 for address book servers: one that repeats the password it was given gets it into nothing that is kept."""

import base64
import logging

import pytest

from accounts.models import CardServer
from deploy.demo.tls import DemoCertificate
from tests import factories
from tests.servers.card_rig import named
from tests.support.dav_script import Answer, Asked, dav_script
from webmail import tasks
from webmail.services import card_servers

from .secrets_seen import seen
from .test_s56_secrets import kept
from .trapped import SECRETS

pytestmark = pytest.mark.django_db(transaction=True)


def repeats(asked: Asked) -> Answer:
    """A refusal in the words of most servers, with all that was said to it."""
    pair = asked.fields["Authorization"].removeprefix("Basic ")
    plain = base64.b64decode(pair).decode()
    words = f"{plain} {pair} {asked.fields['Authorization']}"
    error = f'<error xmlns="DAV:" xmlns:s="http://sabredav.org/ns"><s:message>{words}</s:message></error>'
    return 401, {"WWW-Authenticate": f'Basic realm="{pair}"'}, error.encode()


@SECRETS
def test_s56_a_refused_address_book_password(
    secret: str, certificates: DemoCertificate, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with dav_script(certificates, repeats) as script, caplog.at_level(logging.DEBUG):
        named(script.port, certificates.ca_pem)
        user = factories.user("Maren")
        server = card_servers.connect(user, address=script.url, username="maren", password=secret)
        for _ in range(4):
            tasks.images.sync_cards.apply(args=(server.pk,)).get()
        assert len(script.asked) == 3, "not tried again"
        assert seen(secret, *(base64.b64decode(one.fields["Authorization"][6:]) for one in script.asked))
    server = CardServer.objects.get()
    assert (server.state, server.error_code) == ("refused", "auth")
    assert server.server_line.startswith("401")
    assert seen(secret, caplog.text, kept(redis_url), repr(server.__dict__)) == []
