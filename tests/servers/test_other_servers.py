"""What holds on every server alike, on Cyrus and on Courier; what is peculiar to one stands in a file of its own."""

from __future__ import annotations

import imaplib
from dataclasses import dataclass

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import (
    check,
    conversations,
    fill,
    imap_account,
    lock,
    message,
    on_server,
    other_client,
    sync,
)
from tests.support.loopback import LoopbackServer
from webmail.models import Flag, Mailbox, Message, Placement, RemoteOp
from webmail.services import actions, mailboxes, targets, undo
from webmail.services.ops import Spot

pytestmark = pytest.mark.django_db(transaction=True)
ROLES = ("Sent", "Drafts", "Junk", "Trash", "Archive")


@dataclass(frozen=True, slots=True)
class Place:
    """A server: what the names of its folders begin with, their delimiter, and what it tells."""

    server: LoopbackServer
    prefix: str
    delimiter: str
    modseq: bool
    ids: bool
    made: bool  # a new user has folders of the usual names

    def named(self, name: str) -> str:
        """The wire name of a folder."""
        return name if name == "INBOX" else self.prefix + name.replace("/", self.delimiter)

    def look(self, account: MailAccount) -> None:
        """What came since; without mod-sequences as after the half hour in which flags are not read again."""
        if not self.modseq:
            Mailbox.objects.filter(account=account).update(full_flags_at=None)
        sync(account)

    def fill(self, client: imaplib.IMAP4, name: str, messages: list[bytes]) -> None:
        """Puts messages into a folder, which is made if it is not there."""
        client.create(self.named(name))
        fill(client, self.named(name), messages)

    def move(self, client: imaplib.IMAP4, uids: str, name: str) -> None:
        """Moves messages of the open mailbox, as the server has it."""
        if "MOVE" in client.capabilities:
            assert client.uid("MOVE", uids, self.named(name))[0] == "OK"
            return
        assert client.uid("COPY", uids, self.named(name))[0] == "OK"
        client.uid("STORE", uids, "+FLAGS", r"(\Deleted)")
        client.expunge()


@pytest.fixture(params=["cyrus", "courier"])
def place(request: pytest.FixtureRequest) -> Place:
    server: LoopbackServer = request.getfixturevalue(request.param)
    if request.param == "cyrus":
        return Place(server, "", "/", modseq=True, ids=True, made=True)
    return Place(server, "INBOX.", ".", modseq=False, ids=False, made=False)


@pytest.fixture
def account(place: Place) -> MailAccount:
    """An account with folders of the usual names, whose inbox of forty messages is here."""
    made = imap_account(place.server)
    place.server.deliver(made.address, *conversations(0, 40))
    if not place.made:
        with other_client(place.server, made.address) as client:
            for name in ROLES:
                assert client.create(place.named(name))[0] == "OK"
    sync(made)
    return made


def box(place: Place, account: MailAccount, name: str) -> Mailbox:
    return Mailbox.objects.get(account=account, wire_name=place.named(name).encode())


def spots(place: Place, account: MailAccount, name: str, *uids: int) -> list[Spot]:
    rows = targets.in_mailbox(account.user, box(place, account, name))
    return lock(rows.filter(uid__in=uids) if uids else rows)


def test_a_first_sync_brings_everything(place: Place) -> None:
    account = imap_account(place.server)
    place.server.deliver(account.address, *conversations(0, 260))
    with other_client(place.server, account.address) as client:
        place.fill(client, "Work/&ANY-l", conversations(300, 320))
    sync(account)
    check(place.server, account)
    assert Message.objects.filter(account=account).count() == 280
    assert box(place, account, "Work/&ANY-l").leaf == "Öl"


def test_the_usual_folders_have_their_roles(place: Place, account: MailAccount) -> None:
    roles = dict(Mailbox.objects.filter(account=account).exclude(role="").values_list("role", "wire_name"))
    assert {role: bytes(name).decode() for role, name in roles.items()} == {
        "inbox": "INBOX",
        **{name.lower(): place.named(name) for name in ROLES},
    }


def test_what_another_client_does_appears(place: Place, account: MailAccount) -> None:
    with other_client(place.server, account.address) as client:
        client.uid("STORE", "1:10", "+FLAGS", r"(\Seen $Label)")
        client.uid("STORE", "12", "+FLAGS", r"(\Flagged Holiday)")
        place.move(client, "15:18", "Archive")
        client.uid("STORE", "20:22", "+FLAGS", r"(\Deleted)")
        client.expunge()
        place.fill(client, "INBOX", [message(9000)])
    place.server.deliver(account.address, message(9001))
    place.look(account)
    check(place.server, account)
    assert Message.objects.filter(account=account).count() == 42
    assert Placement.objects.get(mailbox=box(place, account, "INBOX"), uid=12).keywords == ["Holiday"]


def test_what_a_person_does_reaches_the_server(place: Place, account: MailAccount) -> None:
    user, archive, junk = account.user, box(place, account, "Archive"), box(place, account, "Junk")
    actions.change_flags(user, "read", spots(place, account, "INBOX", *range(1, 11)), set_=Flag.SEEN, clear=0)
    actions.move(user, "move", spots(place, account, "INBOX", 20, 21, 22), archive)
    actions.delete(user, spots(place, account, "INBOX", 30, 31))
    back = actions.move(user, "move", spots(place, account, "INBOX", 35), junk)
    sync(account)
    undo.undo(user, back)
    sync(account)
    check(place.server, account)
    state = on_server(place.server, account.address)
    assert {name: len(rows) for name, rows in state.items()} == {
        **{place.named(name): 0 for name in ("Drafts", "Junk", "Sent")},
        "INBOX": 35,
        place.named("Archive"): 3,
        place.named("Trash"): 2,
    }
    assert sum("\\Seen" in flags for flags in state["INBOX"].values()) == 10
    actions.delete(user, spots(place, account, "Trash"))
    RemoteOp.objects.filter(state="queued").update(not_before=None)
    sync(account)
    check(place.server, account)
    assert on_server(place.server, account.address)[place.named("Trash")] == {}


def test_a_folder_made_here_is_made_there(place: Place, account: MailAccount) -> None:
    mailboxes.create(account.user, account, "Mémoires")
    made = Mailbox.objects.get(account=account, name__endswith="Mémoires")
    actions.move(account.user, "move", spots(place, account, "INBOX", 1, 2), made)
    sync(account)
    check(place.server, account)
    assert len(on_server(place.server, account.address)[place.named("M&AOk-moires")]) == 2


def test_f03_a_folder_made_anew_under_its_name_is_another_folder(place: Place, account: MailAccount) -> None:
    with other_client(place.server, account.address) as client:
        place.fill(client, "Projects", conversations(100, 112))
    sync(account)
    before = box(place, account, "Projects")
    old = set(Placement.objects.filter(mailbox=before).values_list("pk", flat=True))
    with other_client(place.server, account.address) as client:
        client.delete(place.named("Projects"))
        place.fill(client, "Projects", conversations(200, 205))
    place.look(account)
    check(place.server, account)
    states = Placement.objects.filter(pk__in=old).values_list("state", flat=True)
    assert list(states) == [Placement.State.GONE] * 12
    now = box(place, account, "Projects")
    assert (now.total, now.mailbox_id != before.mailbox_id) == (5, place.ids)
