"""What time has made superfluous goes; what can still be needed stays."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from tests import factories
from webmail import storage
from webmail.models import Action, Draft, Outgoing, Placement, RemoteOp
from webmail.services import drafts, outbox
from webmail.sync.purge import purge

from .conftest import Somebody


def test_old_actions_go_with_what_they_would_undo_unless_the_server_still_lacks_them(
    alice: Somebody, bob: Somebody
) -> None:
    for who in (alice, bob):
        who.client.post(reverse("mail:act"), {"action": "archive", "thread": who.placement.thread_id})
    RemoteOp.objects.filter(account=bob.account).update(state="done", finished_at=timezone.now())
    purge()
    assert Action.objects.count() == 2
    Action.objects.update(created_at=timezone.now() - timedelta(days=8))
    purge()
    assert list(Action.objects.values_list("user", flat=True)) == [alice.user.pk]
    assert RemoteOp.objects.count() == 2


def test_what_an_answer_that_waits_for_its_day_answers_is_kept_with_it(alice: Somebody) -> None:
    placement = factories.message(alice.inbox, text="Hello")
    fields = drafts.Fields(identity=alice.account.identities.get(), to="amara@pier4.example", text="a", plain=True)
    draft, _ = drafts.save(alice.user, fields, mode=Draft.Mode.REPLY, original=placement.message)
    outbox.submit(draft, send_after=timezone.now() + timedelta(days=20))
    Placement.objects.update(state=Placement.State.GONE, gone_at=timezone.now() - timedelta(days=8))
    purge()
    sent = outbox.send_now(Outgoing.objects.get())
    assert sent is not None
    wire = storage.read(alice.account.pk, sent.digest)
    assert f"In-Reply-To: <{placement.message.message_id}>".encode() in wire
