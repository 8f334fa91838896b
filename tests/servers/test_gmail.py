"""Accounts on a server with labels: every message once, folders as views, what people do as label changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from deploy.demo.imap.wire import No
from deploy.demo.tls import DemoCertificate
from tests.servers.gmail_rig import box, check, gmail_account, here, on_gmail, spots
from tests.servers.sync_rig import lock, message, sync
from tests.support.gmail import Gmail
from tests.support.gmail_mail import ALL, DRAFTS, SENT, SPAM, STARRED, TRASH, Mail, Mailboxes
from webmail.models import Action, Correspondent, Flag, Mailbox, MailboxThread, Placement, RemoteOp
from webmail.services import actions, targets, undo
from webmail.services.ops import Spot
from webmail.sync import failpoints
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)
HARBOUR = "Vendors/H&APY-fen 2"  # two levels, a space, modified UTF-7


@pytest.fixture(scope="module")
def server(certificates: DemoCertificate) -> Iterator[Gmail]:
    made = Gmail(certificates)
    yield made
    made.stop()


@pytest.fixture
def gmail(server: Gmail) -> Gmail:
    server.log.clear()
    return server


class Person:
    """One person's Gmail and account here; ``mails`` by their subject's number."""

    def __init__(self, gmail: Gmail, boxes: Mailboxes, address: str) -> None:
        self.boxes = boxes
        for name in ("Work", HARBOUR):
            boxes.create(name)
        self.mails = [boxes.deliver(message(n)) for n in range(6)]
        self.mails[1].labels |= {"Work", HARBOUR, "\\Important"}
        self.mails[2].labels = {"Work"}
        self.mails[3].labels = set()
        self.mails[4].labels = {"\\Sent"}
        self.mails[5].flags = {"\\Flagged", "\\Seen"}
        boxes.touch(*self.mails)
        boxes.put(boxes.deliver(message(6)), TRASH)
        boxes.put(boxes.deliver(message(7)), SPAM)
        self.account = gmail_account(gmail, address)
        sync(self.account)

    def sync(self) -> None:
        sync(self.account)

    def check(self) -> None:
        check(self.boxes, self.account)

    def box(self, name: str) -> Mailbox:
        return box(self.account, name)

    def spots(self, name: str, *numbers: int) -> list[Spot]:
        return spots(self.account, name, *(self.mails[number] for number in numbers))

    def labels(self, number: int) -> set[str]:
        return set(self.mails[number].labels)


@pytest.fixture
def person(gmail: Gmail, request: pytest.FixtureRequest) -> Person:
    address = f"{abs(hash(request.node.name))}@gmail.test"
    return Person(gmail, gmail.add_user(address), address)


def test_people_written_to_are_learnt_from_the_label(person: Person) -> None:
    found = Correspondent.objects.filter(user=person.account.user)
    assert list(found.values_list("address", "times")) == [("me@mail.test", 1)]


def test_every_message_is_fetched_and_stored_once(gmail: Gmail, person: Person) -> None:
    person.check()
    assert {name: len(found) for name, found in here(person.account).items()} == {
        "INBOX": 3, ALL: 6, TRASH: 1, SPAM: 1, SENT: 1, DRAFTS: 0, STARRED: 1, "Work": 2, HARBOUR: 1,
    }  # fmt: skip
    opened = {line.partition(" ")[2] for line in gmail.log if line.startswith(("EXAMINE", "SELECT"))}
    assert opened == {f'"{name}" (CONDSTORE)' for name in (ALL, TRASH, SPAM)}
    inbox = person.box("INBOX")
    assert (inbox.total, inbox.unread, person.box(ALL).total) == (3, 2, 6)
    assert MailboxThread.objects.filter(mailbox=person.box("Work")).count() == 2


def test_nothing_is_selected_while_nothing_changes(gmail: Gmail, person: Person) -> None:
    person.sync()
    gmail.log.clear()
    person.sync()
    assert not [line for line in gmail.log if line.startswith(("EXAMINE", "SELECT", "STATUS", "UID"))]


def test_conversations_follow_the_servers(gmail: Gmail, person: Person) -> None:
    answer = person.boxes.deliver(message(50, subject="Something else entirely"), thread=person.mails[0])
    person.sync()
    rows = Placement.objects.filter(mailbox=person.box("INBOX"))
    by_mail = {row.message.email_id: row.thread_id for row in rows.select_related("message")}
    assert by_mail[f"gm:{answer.msgid}"] == by_mail[f"gm:{person.mails[0].msgid}"]
    line = MailboxThread.objects.get(mailbox=person.box("INBOX"), thread=by_mail[f"gm:{answer.msgid}"])
    assert line.message_count == 2


ELSEWHERE: dict[str, Callable[[Mailboxes, list[Mail]], None]] = {
    "label added": lambda boxes, mails: boxes.relabel(mails[:1], [HARBOUR], add=True),
    "label removed": lambda boxes, mails: boxes.relabel(mails[1:3], ["Work"], add=False),
    "archived": lambda boxes, mails: boxes.relabel(mails[:2], ["\\Inbox"], add=False),
    "back in the inbox": lambda boxes, mails: boxes.relabel(mails[3:4], ["\\Inbox"], add=True),
    "read": lambda boxes, mails: boxes.flag(mails[:3], ["\\Seen"], add=True),
    "star taken": lambda boxes, mails: boxes.flag(mails[5:], ["\\Flagged"], add=False),
    "star given by label": lambda boxes, mails: boxes.relabel(mails[:1], ["\\Starred"], add=True),
    "to trash": lambda boxes, mails: boxes.put(mails[1], TRASH),
    "spam": lambda boxes, mails: boxes.put(mails[2], SPAM),
    "out of the inbox by MOVE": lambda boxes, mails: boxes.put(mails[0], "Work", out_of="INBOX"),
    "new": lambda boxes, mails: boxes.put(boxes.deliver(message(40), labels=["Work"]), STARRED),
}


@pytest.mark.parametrize("change", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_is_done_elsewhere_shows_here(
    person: Person, gmail: Gmail, change: Callable[[Mailboxes, list[Mail]], None]
) -> None:
    change(person.boxes, person.mails)
    gmail.log.clear()
    person.sync()
    person.check()
    assert not any(line.startswith('EXAMINE "INBOX"') for line in gmail.log)


def _read(person: Person) -> Action:
    return actions.change_flags(person.account.user, "read", person.spots("Work", 1, 2), set_=Flag.SEEN, clear=0)


def _star(person: Person) -> Action:
    return actions.change_flags(person.account.user, "star", person.spots("INBOX", 0), set_=Flag.FLAGGED, clear=0)


def _unstar(person: Person) -> Action:
    return actions.change_flags(person.account.user, "unstar", person.spots(STARRED), set_=0, clear=Flag.FLAGGED)


def _relabel(person: Person) -> Action:
    return actions.move(person.account.user, "move", person.spots("Work", 1, 2), person.box(HARBOUR))


def _to_label(person: Person) -> Action:
    return actions.move(person.account.user, "move", person.spots("INBOX", 0, 1), person.box("Work"))


def _archive(person: Person) -> Action:
    return actions.to_role(person.account.user, "archive", person.spots("INBOX"), Mailbox.Role.ARCHIVE)


def _delete(person: Person) -> Action:
    return actions.delete(person.account.user, person.spots("Work", 1, 2))


def _spam(person: Person) -> Action:
    return actions.to_role(
        person.account.user, "junk", person.spots("INBOX", 1), Mailbox.Role.JUNK, set_=Flag.JUNK, clear=Flag.NOT_JUNK
    )


def _not_spam(person: Person) -> Action:
    return actions.to_role(person.account.user, "notjunk", person.spots(SPAM), Mailbox.Role.INBOX)


def _restore(person: Person) -> Action:
    return actions.move(person.account.user, "move", person.spots(TRASH), person.box(HARBOUR))


def _star_by_moving(person: Person) -> Action:
    return actions.move(person.account.user, "move", person.spots("INBOX", 0), person.box(STARRED))


DEEDS: dict[str, tuple[Callable[[Person], Action], dict[str, int]]] = {
    "read": (_read, {}),
    "star": (_star, {STARRED: 1}),
    "unstar": (_unstar, {STARRED: -1}),
    "label to label": (_relabel, {"Work": -2, HARBOUR: 1}),
    "inbox to label": (_to_label, {"INBOX": -2, "Work": 1}),
    "archive": (_archive, {"INBOX": -3}),
    "delete": (_delete, {"Work": -2, "INBOX": -1, HARBOUR: -1, ALL: -2, TRASH: 2}),
    "spam": (_spam, {"INBOX": -1, "Work": -1, HARBOUR: -1, ALL: -1, SPAM: 1}),
    "not spam": (_not_spam, {SPAM: -1, ALL: 1, "INBOX": 1}),
    "out of trash": (_restore, {TRASH: -1, ALL: 1, HARBOUR: 1}),
    "into starred": (_star_by_moving, {STARRED: 1}),
}


def sizes(person: Person) -> dict[str, int]:
    return {name: len(found) for name, found in here(person.account).items()}


def without_junk_marks(state: dict[str, dict[int, frozenset[str]]]) -> dict[str, dict[int, frozenset[str]]]:
    """Gmail may or may not keep them; undo clears what it set."""
    return {name: {pk: flags - {"$Junk", "$NotJunk"} for pk, flags in found.items()} for name, found in state.items()}


@pytest.mark.parametrize(("deed", "moved"), DEEDS.values(), ids=DEEDS)
@pytest.mark.parametrize("undone", ["not", "before", "after"])
def test_what_a_person_does(
    person: Person, deed: Callable[[Person], Action], moved: dict[str, int], undone: str
) -> None:
    before, count = on_gmail(person.boxes), sizes(person)
    action = deed(person)
    assert {name: sizes(person)[name] - count[name] for name in count if sizes(person)[name] != count[name]} == moved
    if undone == "before":
        undo.undo(person.account.user, action)
        assert sizes(person) == count
    person.sync()
    person.check()
    if undone == "not":
        changed = {name: len(found) - count[name] for name, found in on_gmail(person.boxes).items()}
        assert {name: change for name, change in changed.items() if change} == moved
        return
    if undone != "before":
        undo.undo(person.account.user, action)
        assert sizes(person) == count
        person.sync()
        person.check()
    assert without_junk_marks(on_gmail(person.boxes)) == without_junk_marks(before)


@pytest.mark.parametrize("place", ["op claimed", "op sent"])
@pytest.mark.parametrize("deed", [_relabel, _delete, _not_spam, _restore])
def test_a_worker_that_dies_does_nothing_twice(person: Person, place: str, deed: Callable[[Person], Action]) -> None:
    deed(person)
    wanted = sizes(person)
    failpoints.arm(place, exit)
    try:
        with pytest.raises(SystemExit):
            sync_account(person.account.pk)
    finally:
        failpoints.disarm()
    person.sync()
    person.check()
    assert sizes(person) == wanted


def test_a_look_between_action_and_replay_takes_nothing_back(person: Person) -> None:
    _star(person)
    _archive(person)
    RemoteOp.objects.update(not_before="2099-01-01T00:00Z")
    person.boxes.relabel(person.mails[:2], [HARBOUR], add=True)
    person.sync()
    row = Placement.objects.get(mailbox__labelled=True, message__email_id=f"gm:{person.mails[0].msgid}")
    assert (row.labels, row.server_labels) == ([HARBOUR], [HARBOUR, "\\Inbox"])
    assert sizes(person) | {} == sizes(person) | {"INBOX": 0, HARBOUR: 2, STARRED: 2}
    RemoteOp.objects.update(not_before=None)
    person.sync()
    person.check()
    assert person.labels(0) == {HARBOUR}


def test_a_refused_label_goes_back_and_says_so(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    _relabel(person)
    wanted = {name: len(found) for name, found in on_gmail(person.boxes).items()}
    monkeypatch.setattr(Mailboxes, "relabel", _refused)
    person.sync()
    ops = set(RemoteOp.objects.filter(account=person.account).values_list("state", "error"))
    assert ops == {("failed", "[CANNOT] Label name is not allowed")}
    assert sizes(person) == wanted
    person.check()


def _refused(*_: object, **__: object) -> None:
    raise No("[CANNOT] Label name is not allowed")


def test_one_message_ticked_in_several_folders_is_one(person: Person) -> None:
    ids = [spot.placement for name in ("INBOX", "Work", HARBOUR) for spot in person.spots(name, 1)]
    assert len(set(ids)) == 1
    everywhere = lock(targets.visible(person.account.user).filter(message__email_id=f"gm:{person.mails[1].msgid}"))
    action = actions.delete(person.account.user, everywhere)
    assert action.count == 1
    person.sync()
    person.check()


def test_sent_and_drafts_are_the_servers_to_give(person: Person) -> None:
    actions.move(person.account.user, "move", person.spots("INBOX", 0), person.box(SENT))
    actions.move(person.account.user, "move", person.spots(SENT), person.box("Work"))
    person.sync()
    person.check()
    assert (person.labels(0), person.labels(4)) == ({"\\Inbox"}, {"\\Sent", "Work"})


def test_deletion_for_good_from_trash(person: Person) -> None:
    actions.delete(person.account.user, person.spots(TRASH))
    RemoteOp.objects.update(not_before=None)
    person.sync()
    person.check()
    assert not on_gmail(person.boxes)[TRASH]


def test_a_label_renamed_elsewhere_keeps_its_mailbox(person: Person, gmail: Gmail) -> None:
    row = person.box("Work")
    person.boxes.rename("Work", "Office")
    person.sync()
    person.check()
    assert person.box("Office").pk == row.pk
    actions.move(person.account.user, "move", person.spots("INBOX", 0), person.box("Office"))
    person.sync()
    person.check()
    assert "Work" not in on_gmail(person.boxes)


def test_labels_renamed_and_removed_elsewhere_without_counters_to_recognise_them(person: Person, gmail: Gmail) -> None:
    gmail.capabilities = gmail.capabilities.replace(" LIST-STATUS", "")
    try:
        person.boxes.rename("Work", "Office")
        person.boxes.remove(HARBOUR)
        for _ in range(3):
            person.sync()
        person.check()
    finally:
        gmail.capabilities = gmail.capabilities.replace(" LIST-EXTENDED", " LIST-EXTENDED LIST-STATUS")


def test_a_label_made_renamed_and_removed_here(person: Person) -> None:
    made = Mailbox.objects.create(account=person.account, wire_name=b"Later", name="Later", delimiter="/")
    RemoteOp.objects.create(account=person.account, kind="create", mailbox=made)
    actions.move(person.account.user, "move", person.spots("INBOX", 0), made)
    person.sync()
    person.check()
    assert person.labels(0) == {"Later"}
    RemoteOp.objects.create(account=person.account, kind="rename", mailbox=made, args={"leaf": "Someday"})
    actions.move(person.account.user, "move", person.spots("INBOX", 1), Mailbox.objects.get(pk=made.pk))
    person.sync()
    person.check()
    assert (person.labels(0), person.labels(1)) == ({"Someday"}, {"Someday", "Work", HARBOUR, "\\Important"})
    RemoteOp.objects.create(account=person.account, kind="remove", mailbox=made)
    person.sync()
    person.check()
    assert person.labels(0) == set()


def test_hidden_all_mail_falls_back_to_folders_and_says_so(gmail: Gmail) -> None:
    boxes = gmail.add_user("hidden@gmail.test", hidden=[ALL])
    boxes.create("Work")
    mail = boxes.deliver(message(1), labels=["\\Inbox", "Work"])
    account = gmail_account(gmail, "hidden@gmail.test")
    sync(account)
    assert account.settings_seen["all_mail_hidden"] is True
    assert here(account) == on_gmail(boxes)
    assert not Mailbox.objects.filter(account=account).exclude(label="").exists()
    actions.change_flags(account.user, "read", spots(account, "INBOX"), set_=Flag.SEEN, clear=0)
    sync(account)
    assert "\\Seen" in mail.flags
    boxes.hidden.clear()
    for _ in range(2):
        sync(account)
    assert account.settings_seen["all_mail_hidden"] is False
    check(boxes, account)
    boxes.hidden.add(ALL)
    for _ in range(3):
        sync(account)
    assert account.settings_seen["all_mail_hidden"] is True
    assert here(account) == on_gmail(boxes)
