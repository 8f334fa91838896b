"""What time has made superfluous goes; what can still be needed stays."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from webmail.models import Action, RemoteOp
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
