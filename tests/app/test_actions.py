"""What a person does changes the rows at once, records the intent, and can be taken back."""

import uuid

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Identity
from tests import factories
from webmail.models import Action, Draft, Flag, Mailbox, MailboxThread, Outgoing, Placement, RemoteOp
from webmail.services import mailboxes

from .conftest import Somebody


def act(who: Somebody, kind: str, **fields: object) -> Placement:
    data = {"action": kind, "thread": who.placement.thread_id, "mailbox": who.inbox.pk} | fields
    response = who.client.post(reverse("mail:act"), data)
    assert response.status_code == 302, response.status_code
    return Placement.objects.get(pk=who.placement.pk)


def take_back(who: Somebody) -> Placement:
    action = Action.objects.order_by("-created_at").first()
    assert action is not None
    who.client.post(reverse("mail:undo", args=[action.pk]))
    return Placement.objects.get(pk=who.placement.pk)


@pytest.mark.parametrize(("kind", "flag", "on"), [("read", Flag.SEEN, True), ("star", Flag.FLAGGED, True)])
def test_flag_shows_at_once_and_is_owed_to_the_server(alice: Somebody, kind: str, flag: Flag, on: bool) -> None:
    placement = act(alice, kind)
    op = RemoteOp.objects.get()
    assert bool(placement.flags & flag) is on
    assert placement.server_flags == 0
    assert placement.pending_mask & flag
    assert (op.kind, op.set_flags, op.uids) == ("flags", int(flag), [placement.uid])


def test_reading_lowers_the_unread_count_and_undo_raises_it(alice: Somebody) -> None:
    act(alice, "read")
    assert Mailbox.objects.get(pk=alice.inbox.pk).unread == 0
    placement = take_back(alice)
    assert not placement.flags & Flag.SEEN
    assert Mailbox.objects.get(pk=alice.inbox.pk).unread == 1


def test_archive_moves_the_line_and_undo_cancels_what_was_not_sent(alice: Somebody) -> None:
    uid = alice.placement.uid
    moved = act(alice, "archive")
    assert (moved.mailbox_id, moved.uid) == (alice.archive.pk, None)
    assert not MailboxThread.objects.filter(mailbox=alice.inbox).exists()
    back = take_back(alice)
    assert (back.mailbox_id, back.uid) == (alice.inbox.pk, uid)
    assert RemoteOp.objects.get().state == RemoteOp.State.CANCELLED


def test_undo_of_a_move_the_server_has_done_moves_back(alice: Somebody) -> None:
    act(alice, "archive")
    RemoteOp.objects.update(state=RemoteOp.State.DONE)
    Placement.objects.update(uid=77)
    back = take_back(alice)
    assert back.mailbox_id == alice.inbox.pk
    assert RemoteOp.objects.filter(state="queued", kind="move", mailbox=alice.archive, destination=alice.inbox).exists()


def test_delete_goes_to_trash_and_from_trash_for_good_after_the_undo_window(alice: Somebody) -> None:
    assert act(alice, "delete").mailbox_id == alice.trash.pk
    gone = act(alice, "delete", mailbox=alice.trash.pk)
    op = RemoteOp.objects.get(kind="expunge")
    assert gone.state == Placement.State.GONE
    assert op.not_before is not None
    assert take_back(alice).state == Placement.State.LIVE


def test_delete_of_a_conversation_leaves_other_folders_copies(alice: Somebody) -> None:
    other = factories.message(alice.archive, thread=alice.placement.thread)
    act(alice, "delete")
    assert Placement.objects.get(pk=other.pk).mailbox_id == alice.archive.pk


def test_account_without_archive_gets_one_here_and_on_the_server(alice: Somebody) -> None:
    alice.archive.delete()
    placement = act(alice, "archive")
    assert placement.mailbox.role == "archive"
    assert list(RemoteOp.objects.order_by("id").values_list("kind", flat=True)) == ["create", "move"]


def test_archive_that_another_program_removed_is_made_anew(alice: Somebody) -> None:
    Mailbox.objects.filter(pk=alice.archive.pk).update(phase="gone", role="", role_source="")
    placement = act(alice, "archive")
    assert (placement.mailbox.role, placement.mailbox.selectable) == ("archive", True)
    assert list(RemoteOp.objects.order_by("id").values_list("kind", flat=True)) == ["create", "move"]


def test_pop3_account_owes_its_server_nothing(alice: Somebody) -> None:
    alice.account.protocol = "pop3"
    alice.account.save()
    assert act(alice, "read").pending_mask == 0
    assert act(alice, "archive").mailbox_id == alice.archive.pk
    assert not RemoteOp.objects.exists()


def test_select_all_acts_on_everything_in_the_mailbox(alice: Somebody) -> None:
    for _ in range(3):
        factories.message(alice.inbox)
    act(alice, "read", scope="all", thread="")
    assert Mailbox.objects.get(pk=alice.inbox.pk).unread == 0
    assert sum(len(op.uids) for op in RemoteOp.objects.all()) == 4


def test_star_on_a_conversation_sits_on_its_newest_message(alice: Somebody) -> None:
    newer = factories.message(alice.inbox, thread=alice.placement.thread, at=factories.NOON)
    assert not act(alice, "star").flags & Flag.FLAGGED
    assert Placement.objects.get(pk=newer.pk).flags & Flag.FLAGGED


@pytest.mark.parametrize("fields", [{"mailbox": "x"}, {"thread": "99999999999999999999"}, {"action": "explode"}])
def test_nonsense_is_404_and_changes_nothing(alice: Somebody, fields: dict[str, str]) -> None:
    data = {"action": "read", "thread": alice.placement.thread_id, "mailbox": alice.inbox.pk} | fields
    assert alice.client.post(reverse("mail:act"), data).status_code == 404
    assert not RemoteOp.objects.exists()


def test_nobody_acts_on_anothers_mail(alice: Somebody, bob: Somebody, charlie: Somebody) -> None:
    for other in (bob, charlie):
        data = {"action": "delete", "thread": alice.placement.thread_id}
        assert other.client.post(reverse("mail:act"), data).status_code == 404
        data = {"action": "move", "thread": other.placement.thread_id, "to": alice.inbox.pk}
        assert other.client.post(reverse("mail:act"), data).status_code == 404
    act(alice, "read")
    action = Action.objects.get()
    assert bob.client.post(reverse("mail:undo", args=[action.pk])).status_code == 404
    assert bob.client.post(reverse("mail:undo", args=[uuid.uuid4()])).status_code == 404


def test_next_leads_back_on_this_host_only(alice: Somebody) -> None:
    for bad in ("//evil.test/", "https://evil.test/", "/\\evil.test", "javascript:alert(1)"):
        data = {"action": "read", "thread": alice.placement.thread_id, "next": bad}
        assert "evil" not in alice.client.post(reverse("mail:act"), data).headers["Location"]


def test_lines_of_several_mailboxes_are_each_acted_on_where_they_stand(alice: Somebody) -> None:
    sent = factories.mailbox(alice.account, "sent")
    own = factories.message(sent, thread=alice.placement.thread)
    other = factories.message(alice.trash)
    places = [f"{alice.inbox.pk}-{alice.placement.thread_id}", f"{alice.trash.pk}-{other.thread_id}"]
    alice.client.post(reverse("mail:act"), {"action": "archive", "place": places})
    assert set(Placement.objects.filter(mailbox=alice.archive).values_list("pk", flat=True)) == {
        alice.placement.pk,
        other.pk,
    }
    assert Placement.objects.get(pk=own.pk).mailbox_id == sent.pk


def test_marking_many_can_be_taken_back_and_marking_one_says_nothing(alice: Somebody) -> None:
    def said(**fields: object) -> str:
        data = {"action": "read", "mailbox": alice.inbox.pk} | fields
        answer = alice.client.post(reverse("mail:act"), data, headers={"HX-Request": "true"})
        return answer.headers.get("HX-Trigger", "")

    other = factories.message(alice.inbox)
    assert not said(thread=alice.placement.thread_id)
    assert "undo_url" in said(thread=[alice.placement.thread_id, other.thread_id])
    factories.message(alice.inbox)
    assert "undo_url" in said(scope="all")
    take_back(alice)
    assert Mailbox.objects.get(pk=alice.inbox.pk).unread == 1


def drafts_of(who: Somebody, *subjects: str) -> tuple[Mailbox, list[Draft]]:
    identity = Identity.objects.get(account=who.account)
    box = Mailbox.objects.filter(account=who.account, role="drafts").first() or factories.mailbox(who.account, "drafts")
    return box, [
        Draft.objects.create(user=who.user, account=who.account, identity=identity, subject=subject)
        for subject in subjects
    ]


def test_drafts_are_lines_of_their_own_and_none_of_them_is_open(alice: Somebody) -> None:
    box, made = drafts_of(alice, "One", "Two")
    html = alice.client.get(reverse("mail:mailbox", args=[alice.account.pk, box.pk])).content.decode()
    assert [html.count(f'id="t-d{draft.pk}"') for draft in made] == [1, 1]
    assert 'class="row-link" href="/compose/?draft=' in html
    assert 'aria-current="true"' not in html.partition('id="rows"')[2].partition("</ol>")[0]
    unread = alice.client.get(reverse("mail:mailbox", args=[alice.account.pk, box.pk]) + "?filter=unread")
    assert "t-d" not in unread.content.decode()


def test_drafts_are_deleted_with_the_lines_they_stand_among_and_come_back(alice: Somebody) -> None:
    box, (first, second) = drafts_of(alice, "One", "Two")
    copy = factories.message(box, flags=int(Flag.DRAFT))
    places = [f"{box.pk}-d{first.pk}", f"{box.pk}-{copy.thread_id}"]
    answer = alice.client.post(
        reverse("mail:act"), {"action": "delete", "place": places}, headers={"HX-Request": "true"}
    )
    assert "2 messages deleted" in answer.headers["HX-Trigger"]
    assert set(Draft.objects.filter(closed_at=None)) == {second}
    take_back(alice)
    assert set(Draft.objects.filter(closed_at=None)) == {first, second}
    assert Placement.objects.get(pk=copy.pk).state == Placement.State.LIVE


def test_draft_sent_since_stays_sent_when_its_deletion_is_taken_back(alice: Somebody) -> None:
    box, (draft,) = drafts_of(alice, "One")
    alice.client.post(reverse("mail:act"), {"action": "delete", "place": f"{box.pk}-d{draft.pk}"})
    sent = {"draft": draft, "envelope_from": "a@b.example", "size": 1, "send_after": timezone.now()}
    Outgoing.objects.create(user=alice.user, account=alice.account, **sent)
    take_back(alice)
    assert Draft.objects.get().closed_at is not None


def test_everything_in_drafts_holds_what_is_being_written(alice: Somebody) -> None:
    box, _made = drafts_of(alice, "One", "Two")
    drafts_of(alice, "Three")
    alice.client.post(reverse("mail:act"), {"action": "delete", "scope": "all", "mailbox": alice.inbox.pk})
    assert Draft.objects.filter(closed_at=None).count() == 3
    factories.message(box, flags=int(Flag.DRAFT))
    alice.client.post(reverse("mail:act"), {"action": "delete", "scope": "all", "mailbox": box.pk})
    assert not Draft.objects.filter(closed_at=None).exists()


def test_drafts_cannot_be_archived_and_nobody_deletes_anothers(alice: Somebody, bob: Somebody) -> None:
    box, (draft,) = drafts_of(alice, "One")
    place = f"{box.pk}-d{draft.pk}"
    answer = alice.client.post(
        reverse("mail:act"), {"action": "archive", "place": place}, headers={"HX-Request": "true"}
    )
    assert "Nothing to change" in answer.headers["HX-Trigger"]
    assert bob.client.post(reverse("mail:act"), {"action": "delete", "place": place}).status_code == 404
    assert Draft.objects.get().closed_at is None


def test_server_copy_of_a_deleted_draft_does_not_stand_in_for_it(alice: Somebody) -> None:
    box, (draft,) = drafts_of(alice, "One")
    copy = factories.message(box, flags=int(Flag.DRAFT))
    Draft.objects.update(message_id=copy.message.message_id, remote_uid=copy.uid, remote_gen=1)
    address = reverse("mail:mailbox", args=[alice.account.pk, box.pk])
    alice.client.post(reverse("mail:act"), {"action": "delete", "place": f"{box.pk}-d{draft.pk}"})
    assert f't-{copy.thread_id}"' not in alice.client.get(address).content.decode()
    Draft.objects.update(remote_uid=None)
    assert f't-{copy.thread_id}"' in alice.client.get(address).content.decode()


@pytest.mark.parametrize("kind", ["move", "copy"])
@pytest.mark.parametrize(
    "fields", [{}, {"scope": "all"}, {"thread": "", "place": "theirs"}], ids=["thread", "all", "place"]
)
def test_mail_stays_in_its_account_and_the_answer_says_so(alice: Somebody, kind: str, fields: dict[str, str]) -> None:
    other = factories.account(alice.user, "pop3")
    there = factories.mailbox(other, "archive")
    if fields.get("place"):
        fields = {"place": f"{alice.inbox.pk}-{alice.placement.thread_id}", "mailbox": ""}
    placement = act(alice, kind, to=there.pk, **fields)
    assert placement.mailbox_id == alice.inbox.pk
    assert not RemoteOp.objects.exists()
    assert not Placement.objects.filter(mailbox=there).exists()
    assert "own account" in alice.client.get(reverse("mail:unsynced")).content.decode()


def test_without_scripting_only_folders_of_the_account_are_offered(alice: Somebody) -> None:
    there = factories.mailbox(factories.account(alice.user, "pop3"), "", "Elsewhere")
    offered = f'<option value="{there.pk}">'
    page = reverse("mail:mailbox", args=[alice.account.pk, alice.inbox.pk])
    assert f'<option value="{alice.archive.pk}">' in alice.client.get(page).content.decode()
    assert offered not in alice.client.get(page).content.decode()
    assert offered in alice.client.get(reverse("mail:unified")).content.decode()


@pytest.mark.parametrize("how", ["folder", "account"])
def test_a_move_out_of_what_was_deleted_since_is_not_taken_back_into_it(alice: Somebody, how: str) -> None:
    """From another tab: what was saved from a folder would be lost with it, without a word."""
    doomed = factories.mailbox(alice.account, "", "Doomed")
    saved = factories.message(doomed)
    alice.client.post(reverse("mail:act"), {"action": "move", "to": alice.archive.pk, "message": saved.message_id})
    action = Action.objects.get(kind="move")
    if how == "folder":
        mailboxes.remove(alice.user, doomed)
    else:
        alice.account.delete()
    assert alice.client.post(reverse("mail:undo", args=[action.pk])).status_code == 302
    left = Placement.objects.filter(pk=saved.pk, mailbox=alice.archive.pk, state=Placement.State.LIVE)
    assert left.exists() is (how == "folder")
    action.refresh_from_db()
    assert action.undone_at is None


def said_of_undo(who: Somebody) -> str:
    """What the page says when the last action is taken back."""
    action = Action.objects.latest("created_at")
    address = reverse("mail:undo", args=[action.pk])
    return str(who.client.post(address, headers={"HX-Request": "true"}).headers["HX-Trigger"])


def test_too_late_an_undo_of_a_deletion_for_good_says_so(alice: Somebody) -> None:
    act(alice, "delete")
    trash = Mailbox.objects.get(account=alice.account, role="trash")
    Placement.objects.filter(pk=alice.placement.pk).update(uid=7)
    act(alice, "delete", mailbox=trash.pk)
    RemoteOp.objects.update(state=RemoteOp.State.DONE)
    for _ in range(2):
        said = said_of_undo(alice)
        assert "too late" in said
        assert "Taken back" not in said
    assert Placement.objects.get(pk=alice.placement.pk).state == Placement.State.GONE


def test_too_late_an_undo_of_a_deleted_folder_says_so(alice: Somebody) -> None:
    box = factories.mailbox(alice.account, "")
    mailboxes.remove(alice.user, box)
    RemoteOp.objects.update(state=RemoteOp.State.INFLIGHT, attempts=1)
    assert "too late" in said_of_undo(alice)
    box.refresh_from_db()
    assert box.phase == Mailbox.Phase.GONE


def test_a_new_folder_that_holds_mail_by_now_stays_and_undo_says_so(alice: Somebody) -> None:
    mailboxes.create(alice.user, alice.account, "New")
    made = Mailbox.objects.get(name="New")
    factories.message(made)
    Mailbox.objects.filter(pk=made.pk).update(total=1)
    assert "mail in this folder" in said_of_undo(alice)
    assert Mailbox.objects.get(pk=made.pk).phase != Mailbox.Phase.GONE


def test_an_undo_of_a_move_whose_mail_is_gone_by_now_says_so(alice: Somebody) -> None:
    act(alice, "archive")
    Placement.objects.filter(pk=alice.placement.pk).update(state=Placement.State.GONE)
    assert "too late" in said_of_undo(alice)


def test_a_second_undo_says_that_it_was_done_before(alice: Somebody) -> None:
    act(alice, "archive")
    assert "Taken back" in said_of_undo(alice)
    action = Action.objects.order_by("created_at").first()
    assert action is not None
    answer = alice.client.post(reverse("mail:undo", args=[action.pk]), headers={"HX-Request": "true"})
    assert "before" in answer.headers["HX-Trigger"]
