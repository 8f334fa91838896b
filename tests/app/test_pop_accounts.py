"""POP3 accounts through the pages: what is downloaded, what stays on the server, and where copies go."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import MailAccount
from tests import factories
from tests.app.conftest import Somebody
from webmail.models import Mailbox, Message, Placement, PopCopy, PopUid


@pytest.fixture(autouse=True)
def started() -> Any:
    """The jobs asked for, instead of a broker."""
    with patch("webmail.jobs.app.send_task") as send:
        yield send


@pytest.fixture
def old(alice: Somebody) -> MailAccount:
    """Alice's POP3 account beside her IMAP account."""
    return factories.account(alice.user, "pop3", label="Old mail")


def details(account: MailAccount, **typed: object) -> dict[str, object]:
    return {
        "part": "details",
        "username": account.username,
        "incoming_host": account.incoming.host,
        "incoming_port": account.incoming.port,
        "incoming_security": "tls",
        "outgoing_host": "mail.example",
        "outgoing_port": 465,
        "outgoing_security": "tls",
    } | typed


def saved(alice: Somebody, account: MailAccount, **typed: object) -> int:
    answer = alice.client.post(reverse("mail:account", args=[account.pk]), details(account, **typed))
    account.refresh_from_db()
    return answer.status_code


def begun(account: MailAccount, *, state: str = "too_large", **columns: Any) -> Placement:
    """A message of 5.2 MB in the account's inbox whose beginning alone is here."""
    inbox = Mailbox.objects.filter(account=account, role="inbox").first() or factories.mailbox(account)
    place = factories.message(
        inbox, subject="Plans", text="First lines", size=5_200_000, extra={"not_downloaded": True}
    )
    Message.objects.filter(pk=place.message_id).update(snippet="First lines")
    PopUid.objects.create(
        account=account, uidl="u1", size=5_200_000, state=state, message_id=place.message_id, **columns
    )
    return place


def address(place: Placement) -> str:
    return reverse("mail:thread", args=[place.account_id, place.mailbox_id, place.thread_id])


# --- choices ---


@pytest.mark.parametrize(("typed", "limit"), [("0", 0), ("5", 5), ("150", 150), ("", 150)])
def test_how_much_is_downloaded_is_chosen(alice: Somebody, old: MailAccount, typed: str, limit: int) -> None:
    assert saved(alice, old, pop_limit_mb=typed, pop_policy="mirror", pop_days="3") == 302
    assert (old.pop_limit_mb, old.pop_policy, old.pop_days) == (limit, "mirror", 3)


@pytest.mark.parametrize("typed", ["-1", "7", "9999999", "five"])
def test_a_size_that_is_not_offered_is_refused(alice: Somebody, old: MailAccount, typed: str) -> None:
    assert saved(alice, old, pop_limit_mb=typed) == 422
    assert old.pop_limit_mb == 150


def test_a_new_account_begins_with_the_chosen_size(alice: Somebody) -> None:
    alice.client.post(
        reverse("mail:account_add"),
        {
            "address": "a@oldmail.example",
            "password": "modem-noises",
            "protocol": "pop3",
            "incoming_host": "pop.oldmail.example",
            "outgoing_host": "smtp.oldmail.example",
            "pop_limit_mb": "1",
        },
    )
    assert MailAccount.objects.get(address="a@oldmail.example").pop_limit_mb == 1


def test_the_choices_stand_on_the_account_page(alice: Somebody, old: MailAccount) -> None:
    page = alice.client.get(reverse("mail:account", args=[old.pk])).content.decode()
    for words in (
        "Stays there",
        "Is deleted once it is here",
        "Is deleted after some days",
        "Is deleted when deleted here",
        "Everything (up to 150 MB)",
        "Messages up to 5 MB",
        "Only the beginning of each message",
        "Also put a copy into",
    ):
        assert words in page
    assert "Also put a copy" not in alice.client.get(reverse("mail:account", args=[alice.account.pk])).content.decode()


def test_downloading_is_told_in_numbers(alice: Somebody, old: MailAccount) -> None:
    inbox = factories.mailbox(old)
    MailAccount.objects.filter(pk=old.pk).update(progress_done=120, progress_total=3400, progress_since=timezone.now())
    for place in (
        reverse("mail:account", args=[old.pk]),
        reverse("mail:mailbox", args=[old.pk, inbox.pk]),
    ):
        assert "Downloading 120 of 3,400" in alice.client.get(place).content.decode()


# --- copies ---


def test_copies_go_into_a_folder_of_ones_own(alice: Somebody, old: MailAccount) -> None:
    assert saved(alice, old, pop_copy=str(alice.archive.pk)) == 302
    assert PopCopy.objects.get(account=old).mailbox == alice.archive
    assert saved(alice, old, pop_copy="") == 302
    assert not PopCopy.objects.exists()


def test_no_foreign_and_no_pop3_folder_is_taken(
    alice: Somebody, bob: Somebody, charlie: Somebody, old: MailAccount
) -> None:
    for box in (bob.inbox, charlie.inbox, factories.mailbox(old)):
        assert saved(alice, old, pop_copy=str(box.pk)) == 422
    assert not PopCopy.objects.exists()


@pytest.mark.parametrize("how", ["account removed", "folder gone"])
def test_a_target_that_is_gone_is_told_in_words(alice: Somebody, old: MailAccount, how: str) -> None:
    saved(alice, old, pop_copy=str(alice.archive.pk))
    if how == "account removed":
        alice.account.delete()
    else:
        Mailbox.objects.filter(pk=alice.archive.pk).update(phase="gone")
    page = alice.client.get(reverse("mail:account", args=[old.pk]))
    assert page.status_code == 200
    assert "Nothing is copied until you choose another folder" in page.content.decode()
    assert "Archive" in page.context["copies_lost"]


# --- a message whose beginning is here ---


def test_it_is_marked_in_the_list_and_when_open(alice: Somebody, old: MailAccount) -> None:
    place = begun(old)
    rows = alice.client.get(reverse("mail:mailbox", args=[old.pk, place.mailbox_id])).content.decode()
    assert "5.2\u00a0MB, not downloaded yet" in rows
    page = alice.client.get(address(place)).content.decode()
    assert "5.2\u00a0MB, not downloaded yet." in page
    assert "This is its beginning; the rest is on the server." in page
    assert "Download</button>" in page
    assert "Delete from the server</button>" in page
    assert "mail-frame" in page
    assert reverse("mail:source", args=[place.message_id]) not in page


def test_without_a_beginning_only_its_size_is_told(alice: Somebody, old: MailAccount) -> None:
    place = begun(old)
    Message.objects.filter(pk=place.message_id).update(snippet="")
    page = alice.client.get(address(place)).content.decode()
    assert "The server shows nothing of it but its size." in page
    assert "mail-frame" not in page


def test_a_whole_message_is_not_marked(alice: Somebody) -> None:
    page = alice.client.get(address(alice.placement)).content.decode()
    assert "not downloaded" not in page


@pytest.mark.parametrize(
    ("state", "columns", "words"),
    [
        ("wanted", {}, "about to be downloaded"),
        ("wanted", {"octets": 2_100_000}, "Downloading 2.1\u00a0MB of 5.2\u00a0MB"),
        ("too_large", {"problem": "I would rather not"}, "I would rather not"),
        ("too_large", {"gone_at": factories.NOON}, "is no longer on the server"),
        ("deleted", {"gone_at": factories.NOON}, "is no longer on the server"),
    ],
)
def test_what_becomes_of_it_is_told(
    alice: Somebody, old: MailAccount, state: str, columns: dict[str, Any], words: str
) -> None:
    assert words in alice.client.get(address(begun(old, state=state, **columns))).content.decode()


def test_asking_for_the_rest(
    alice: Somebody, old: MailAccount, started: Any, django_capture_on_commit_callbacks: Any
) -> None:
    place = begun(old)
    with django_capture_on_commit_callbacks(execute=True):
        answer = alice.client.post(reverse("mail:pop_download", args=[place.message_id]), {"next": address(place)})
    assert answer["Location"] == address(place)
    assert PopUid.objects.get().state == "wanted"
    assert ("webmail.sync_account", [old.pk]) in [(c.args[0], c.kwargs["args"]) for c in started.call_args_list]
    old.refresh_from_db()
    assert old.next_run_at <= timezone.now()


def test_the_way_back_stays_here(alice: Somebody, old: MailAccount) -> None:
    answer = alice.client.post(
        reverse("mail:pop_download", args=[begun(old).message_id]), {"next": "https://elsewhere.example/"}
    )
    assert answer["Location"] == reverse("mail:home")


def test_others_can_neither_download_nor_delete_it(
    alice: Somebody, bob: Somebody, charlie: Somebody, old: MailAccount
) -> None:
    place = begun(old)
    for stranger in (bob, charlie):
        assert stranger.client.post(reverse("mail:pop_download", args=[place.message_id])).status_code == 404
        answer = stranger.client.post(reverse("mail:act"), {"action": "discard", "message": place.message_id})
        assert answer.status_code == 404
    place.refresh_from_db()
    assert (PopUid.objects.get().state, place.state) == ("too_large", Placement.State.LIVE)


def test_deleting_it_from_the_server_and_taking_that_back(
    alice: Somebody, old: MailAccount, django_capture_on_commit_callbacks: Any
) -> None:
    place = begun(old)
    MailAccount.objects.filter(pk=old.pk).update(next_run_at=timezone.now() + timedelta(hours=1))
    with django_capture_on_commit_callbacks(execute=True):
        answer = alice.client.post(
            reverse("mail:act"), {"action": "discard", "message": place.message_id, "next": "/mail/all/"}, follow=True
        )
    assert "1 message leaves the server" in answer.content.decode()
    place.refresh_from_db()
    old.refresh_from_db()
    assert place.state == Placement.State.GONE
    assert old.next_run_at < timezone.now() + timedelta(minutes=1)
    undo = next(iter(answer.context["messages"])).extra_tags
    alice.client.post(undo)
    place.refresh_from_db()
    assert place.state == Placement.State.LIVE


def test_discarding_leaves_whole_messages_alone(alice: Somebody) -> None:
    alice.client.post(reverse("mail:act"), {"action": "discard", "message": alice.placement.message_id})
    alice.placement.refresh_from_db()
    assert alice.placement.state == Placement.State.LIVE


def test_its_source_is_not_offered(alice: Somebody, old: MailAccount) -> None:
    assert alice.client.get(reverse("mail:source", args=[begun(old).message_id])).status_code == 404


def test_opening_a_conversation_of_them_asks_once(
    alice: Somebody, old: MailAccount, django_assert_max_num_queries: Any
) -> None:
    place = begun(old)
    with django_assert_max_num_queries(40) as few:
        alice.client.get(address(place))
    for number in range(5):
        more = factories.message(
            place.mailbox, thread=place.thread, text="x", size=2_000_000, extra={"not_downloaded": True}
        )
        PopUid.objects.create(account=old, uidl=f"m{number}", state="too_large", message_id=more.message_id)
    with django_assert_max_num_queries(len(few)):
        alice.client.get(address(place))
