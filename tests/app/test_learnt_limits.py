"""What a server said of the size of messages is kept until it says otherwise."""

from tests.app.conftest import Somebody
from tests.app.test_outbox_views import State, outgoing
from webmail.delivery.submit import _learn
from webmail.protocols.smtp import Submission


def test_a_message_that_no_server_was_asked_about_teaches_nothing(alice: Somebody) -> None:
    made = outgoing(alice, State.FAILED)
    server = made.account.outgoing
    assert server is not None
    server.message_limit = 5_000_000
    server.save(update_fields=["message_limit"])
    _learn(made, Submission((), 0, "", ""))
    server.refresh_from_db()
    assert server.message_limit == 5_000_000
    _learn(made, Submission((), 250, "250 ok", "", size_limit=7_000_000))
    server.refresh_from_db()
    assert server.message_limit == 7_000_000
    _learn(made, Submission((), 250, "250 ok", ""))
    server.refresh_from_db()
    assert server.message_limit is None
