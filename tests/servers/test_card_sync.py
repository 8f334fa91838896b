"""Address books kept the same here and on a real Radicale, whatever is changed, lost or killed on the way."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import CardServer
from tests.servers.card_rig import (
    SYNC,
    change,
    connected,
    crossed,
    follow,
    here,
    keep,
    lease_runs_out,
    named,
    sync,
    undo_is_past,
)
from tests.support.radicale import Phone, Radicale, card
from tests.support.workers import Workers
from webmail.models import CardBook, CardLink, Contact
from webmail.protocols.carddav import Client
from webmail.services import card_servers, contacts
from webmail.sync import card_push, due
from webmail.sync.cards import sync_cards

pytestmark = pytest.mark.django_db(transaction=True)

ODD = (
    "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsK",
    "X-SPOUSE:Bo",
    "BDAY:1980-02-29",
    "EMAIL;TYPE=WORK:amara@pier4.example",
    "TEL;TYPE=CELL:+47 22",
)


@pytest.fixture
def phone(radicale: Radicale) -> Phone:
    return radicale.add_user()


# --- finding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["https://localhost:{port}/", "localhost:{port}", "https://localhost:{port}/{user}/"])
def test_address_books_are_found_from_what_people_type(radicale: Radicale, place: str) -> None:
    phone = radicale.add_user("Contacts", "Work")
    server = sync(connected(phone, address=place.format(port=radicale.port, user=phone.user)))
    assert server.state == "choosing"
    assert set(CardBook.objects.values_list("name", "writable", "chosen")) == {
        ("Contacts", True, False),
        ("Work", True, False),
    }
    assert not Contact.objects.exists()


def test_a_domain_leads_to_the_server_an_administrator_named(radicale: Radicale, phone: Phone) -> None:
    named(radicale.port, radicale.tls.ca_pem, domains=["studio.example"])
    server = sync(connected(phone, address="maren@studio.example"))
    assert (server.state, CardBook.objects.count()) == ("choosing", 1)


def test_one_book_named_by_its_own_address_is_that_book(radicale: Radicale) -> None:
    phone = radicale.add_user("Contacts", "Work")
    sync(connected(phone, address=f"{radicale.url}{phone.user}/Work/"))
    assert list(CardBook.objects.values_list("name", flat=True)) == ["Work"]


def test_a_server_nobody_named_is_not_connected_to_on_a_private_address(phone: Phone) -> None:
    from accounts.models import MailServer

    server = connected(phone)
    MailServer.objects.all().delete()
    sync(server, good=False)
    assert (server.state, server.error_code) == ("failing", "host-not-allowed")


# --- there and back --------------------------------------------------------------------------------------------------


def test_what_is_there_comes_and_a_quiet_pass_asks_once(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(120):
        phone.put(f"c{number}", card(f"c{number}", f"Person {number}", f"EMAIL:p{number}@x.example"))
    server = connected(phone)
    follow(server)
    assert len(here(server)) == 120
    assert here(server)["Person 7"].mails == ["p7@x.example"]
    asked: list[str] = []
    for name in ("books", "changes", "listing", "fetch"):
        original = getattr(Client, name)

        def watched(self: Client, *args: object, name: str = name, original: object = original) -> object:
            asked.append(name)
            return original(self, *args)  # type: ignore[operator]  # a method of Client

        monkeypatch.setattr(Client, name, watched)
    sync(server)
    assert asked == ["books"]


def test_changes_there_come_here(phone: Phone) -> None:
    phone.put("a", card("a", "Amara Okafor", *ODD))
    phone.put("b", card("b", "Bo Li"))
    server = connected(phone)
    follow(server)
    phone.put("a", card("a", "Amara Li", *ODD, "ORG:Pier 4"))
    phone.put("c", card("c", "Cy Rus"))
    phone.delete("b")
    sync(server)
    assert set(here(server)) == {"Amara Li", "Cy Rus"}
    assert here(server)["Amara Li"].organisation == "Pier 4"


def test_changes_here_go_there_and_unknown_fields_survive(phone: Phone) -> None:
    phone.put("a", card("a", "Amara Okafor", *ODD))
    server = connected(phone)
    follow(server)
    before = phone.get("a")
    change(here(server)["Amara Okafor"], numbers=["+47 33"], role="Head; of print")
    sync(server)
    text = phone.get("a")
    assert "TEL;TYPE=CELL:+47 33" in text
    assert "TITLE:Head\\; of print" in text
    for line in before.split("\n"):
        if not line.startswith("TEL"):
            assert line in text


def test_a_contact_made_here_is_made_there_once(phone: Phone) -> None:
    server = connected(phone)
    keep(server, "Before Connecting")
    follow(server)
    keep(server, "Zoe Quay", "zoe@quay.example")
    assert len(phone.names()) == 0
    sync(server)
    sync(server)
    assert len(phone.names()) == 1
    text = phone.get(phone.names().pop())
    assert "FN:Zoe Quay" in text
    assert "zoe@quay.example" in text
    assert CardLink.objects.get().contact == here(server)["Zoe Quay"]


def test_who_was_here_before_goes_there_when_asked_for(phone: Phone) -> None:
    phone.put("a", card("a", "Amara Okafor", "EMAIL:amara@pier4.example", "TITLE:Head"))
    server = connected(phone)
    keep(server, "Amara Okafor", "Amara@pier4.example")
    keep(server, "Zoe Quay")
    follow(server, also_here=True)
    assert len(phone.names()) == 2
    assert set(here(server)) == {"Amara Okafor", "Zoe Quay"}, "one who is on both sides is one"
    assert here(server)["Amara Okafor"].role == "Head"


def test_a_removal_here_goes_there_once_its_undo_is_past(phone: Phone) -> None:
    phone.put("a", card("a"))
    server = connected(phone)
    follow(server)
    (contact,) = here(server).values()
    contacts.remove([contact])
    sync(server)
    assert phone.names() == {"a"}
    assert server.next_run_at < timezone.now() + card_push.UNDO_IS_PAST
    contacts.restore(server.user, [contact.pk])
    sync(server)
    assert phone.names() == {"a"}
    contacts.remove([contact])
    undo_is_past()
    sync(server)
    assert phone.names() == set()


def test_a_removal_taken_back_late_makes_the_whole_card_again(phone: Phone) -> None:
    phone.put("a", card("a", "Amara Okafor", *ODD))
    server = connected(phone)
    follow(server)
    (contact,) = here(server).values()
    contacts.remove([contact])
    undo_is_past()
    sync(server)
    assert phone.names() == set()
    contacts.restore(server.user, [contact.pk])
    sync(server)
    assert "X-SPOUSE:Bo" in phone.get("a")


def test_cards_of_several_people_are_left_alone(phone: Phone) -> None:
    phone.put("g", card("g", "Printers", "X-ADDRESSBOOKSERVER-KIND:group", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:a"))
    server = connected(phone)
    follow(server)
    sync(server)
    assert here(server) == {}
    assert "X-ADDRESSBOOKSERVER-MEMBER" in phone.get("g")


# --- both at once ----------------------------------------------------------------------------------------------------


def test_different_fields_changed_on_both_sides_are_merged_and_told(phone: Phone) -> None:
    phone.put("a", card("a", "Amara Okafor", *ODD))
    server = connected(phone)
    follow(server)
    contact = here(server)["Amara Okafor"]
    change(contact, role="Head of print")
    phone.put("a", card("a", "Amara Li", *ODD, "X-NEW:1"))
    sync(server)
    merged = here(server)["Amara Li"]
    assert (merged.pk, merged.role) == (contact.pk, "Head of print")
    text = phone.get("a")
    assert "FN:Amara Li" in text
    assert "TITLE:Head of print" in text
    assert "X-NEW:1" in text
    assert crossed(contact) == {"kind": "both", "fields": {}}


def test_a_change_there_between_look_and_write_is_merged(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    """412: the server's version is not the one we would write over."""
    phone.put("a", card("a", "Amara Okafor"))
    server = connected(phone)
    follow(server)
    contact = change(here(server)["Amara Okafor"], role="Head of print", name="Amara O")
    original = Client.put
    tries = []

    def late(self: Client, book: str, href: str, text: str, etag: str) -> str:
        tries.append(etag)
        if len(tries) == 1:
            phone.put("a", card("a", "Amara Li", "ORG:Pier 4"))
        return original(self, book, href, text, etag)

    monkeypatch.setattr(Client, "put", late)
    sync(server)
    contact.refresh_from_db()
    assert (contact.name, contact.role, contact.organisation) == ("Amara Li", "Head of print", "Pier 4")
    assert crossed(contact) == {"kind": "both", "fields": {"name": ["Amara O", "Amara Li"]}}
    assert "TITLE:Head of print" in phone.get("a")
    card_servers.settle(contact, mine=True)
    sync(server)
    assert "FN:Amara O\n" in phone.get("a")
    assert crossed(contact) == {}


def test_deleted_there_and_changed_here_is_kept_and_made_again(phone: Phone) -> None:
    phone.put("a", card("a", "Amara Okafor", *ODD))
    server = connected(phone)
    follow(server)
    contact = change(here(server)["Amara Okafor"], role="Head")
    phone.delete("a")
    sync(server)
    assert "TITLE:Head" in phone.get("a")
    assert "X-SPOUSE:Bo" in phone.get("a")
    assert crossed(contact) == {"kind": "gone"}


def test_removed_here_and_changed_there_is_back(phone: Phone) -> None:
    phone.put("a", card("a", "Amara Okafor"))
    server = connected(phone)
    follow(server)
    contact = here(server)["Amara Okafor"]
    contacts.remove([contact])
    undo_is_past()
    phone.put("a", card("a", "Amara Li"))
    sync(server)
    assert phone.names() == {"a"}
    assert here(server)["Amara Li"].pk == contact.pk
    assert crossed(contact) == {"kind": "back"}


def test_removed_here_and_made_again_there_is_back(phone: Phone) -> None:
    """Undo on the other device, after its removal here had come there."""
    phone.put("a", card("a", "Amara Okafor"))
    server = connected(phone)
    follow(server)
    text = CardLink.objects.get().card
    contacts.remove(list(here(server).values()))
    undo_is_past()
    sync(server)
    assert phone.names() == set()
    phone.put("a", text)
    sync(server)
    sync(server)
    assert phone.names() == {"a"}
    assert set(here(server)) == {"Amara Okafor"}


def test_two_made_with_one_uid_are_one(phone: Phone) -> None:
    server = connected(phone)
    follow(server)
    contact = keep(server, "Amara Okafor", "a@x.example")
    phone.put("other", card(contact.uid, "Amara Okafor", "EMAIL:a@x.example", "TITLE:Head"))
    sync(server)
    assert phone.names() == {"other"}
    assert here(server)["Amara Okafor"].role == "Head"


# --- what is lost, or seems so ---------------------------------------------------------------------------------------


def test_a_lost_sync_token_loses_nothing(phone: Phone, radicale: Radicale) -> None:
    for name in ("a", "b", "c"):
        phone.put(name, card(name, f"Person {name}"))
    server = connected(phone)
    follow(server)
    book = CardBook.objects.get()
    assert book.token
    change(here(server)["Person a"], role="Head")
    phone.put("d", card("d", "Person d"))
    phone.delete("c")
    radicale.lose_tokens(phone.user, "Contacts")
    CardBook.objects.update(token=book.token[:-4] + "0000")
    sync(server)
    assert set(here(server)) == {"Person a", "Person b", "Person d"}
    assert "TITLE:Head" in phone.get("a")
    assert phone.names() == {"a", "b", "d"}


def test_a_book_that_is_suddenly_empty_is_asked_about(phone: Phone, radicale: Radicale) -> None:
    for number in range(15):
        phone.put(f"c{number}", card(f"c{number}", f"Person {number}"))
    server = connected(phone)
    follow(server)
    for path in radicale.folder(phone.user, "Contacts").glob("*.vcf"):
        path.unlink()
    radicale.lose_tokens(phone.user, "Contacts")
    sync(server)
    sync(server)
    assert len(here(server)) == 15
    assert CardLink.objects.filter(vanished=True).count() == 15
    card_servers.put_back(server)
    sync(server)
    assert len(phone.names()) == 15
    assert not CardLink.objects.filter(vanished=True).exists()
    sync(server)
    assert len(here(server)) == 15


def test_a_book_that_was_emptied_on_purpose_is_emptied_here_when_its_owner_says_so(phone: Phone) -> None:
    for number in range(15):
        phone.put(f"c{number}", card(f"c{number}", f"Person {number}"))
    server = connected(phone)
    follow(server)
    for name in phone.names():
        phone.delete(name)
    sync(server)
    assert len(here(server)) == 15
    assert card_servers.believe(server) == 15
    undo_is_past()
    sync(server)
    assert here(server) == {}
    assert phone.names() == set()


def test_cards_that_come_back_after_their_owner_let_them_go_are_back(phone: Phone, radicale: Radicale) -> None:
    for number in range(15):
        phone.put(f"c{number}", card(f"c{number}", f"Person {number}"))
    server = connected(phone)
    follow(server)
    kept = {path: path.read_bytes() for path in radicale.folder(phone.user, "Contacts").glob("*.vcf")}
    for path in kept:
        path.unlink()
    radicale.lose_tokens(phone.user, "Contacts")
    sync(server)
    assert card_servers.believe(server) == 15
    undo_is_past()
    sync(server)
    assert here(server) == {}
    for path, octets in kept.items():
        path.write_bytes(octets)
    radicale.lose_tokens(phone.user, "Contacts")
    sync(server)
    sync(server)
    assert len(phone.names()) == len(here(server)) == 15


def test_a_book_that_is_gone_keeps_its_contacts_here(phone: Phone, radicale: Radicale) -> None:
    other = radicale.add_user("Contacts", "Work")
    other.put("a", card("a"), "Work")
    server = connected(other)
    follow(server)
    assert other.ask("DELETE", f"/{other.user}/Work/")[0] in (200, 204)
    sync(server)
    assert len(here(server)) == 1
    assert CardBook.objects.get(name="Work").gone_at is not None


def test_a_server_that_is_away_is_said_to_be(phone: Phone, radicale: Radicale) -> None:
    phone.put("a", card("a"))
    server = connected(phone)
    follow(server)
    change(here(server)["Amara Okafor"], role="Head")
    radicale.stop()
    sync(server, good=False)
    assert (server.state, server.error_code) == ("unreachable", "unreachable")
    assert len(here(server)) == 1
    radicale.start()
    sync(server)
    assert "TITLE:Head" in phone.get("a")


def test_a_wrong_password_is_tried_three_times(phone: Phone) -> None:
    server = connected(phone, password="wrong")
    for _ in range(3):
        CardServer.objects.update(next_run_at=timezone.now())
        assert due.claim_card_servers() == [server.pk]
        sync(server, good=False)
        CardServer.objects.update(queued_at=None)
    assert (server.state, server.error_code, server.refused_logins) == ("refused", "auth", 3)
    CardServer.objects.update(next_run_at=timezone.now())
    assert due.claim_card_servers() == []
    token = server.lease_token
    assert sync_cards(server.pk) is False
    server.refresh_from_db()
    assert server.refused_logins == 3, token
    card_servers.sign_in(server, address=server.address, username=phone.user, password="correct horse battery")
    sync(server)
    assert server.state == "choosing"


# --- killed, and twice -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        "cards leased",
        "books listed",
        "before cards",
        "cards written",
        "before card cursor",
        "before card",
        "card put",
        "card deleted",
    ],
)
def test_killed_anywhere_both_sides_agree_afterwards(phone: Phone, workers: Workers, place: str) -> None:
    for number in range(60):
        phone.put(f"c{number}", card(f"c{number}", f"Person {number}"))
    server = connected(phone)
    sync(server)
    book = CardBook.objects.get()
    card_servers.choose(server, [book.pk], takes_new=book.pk, also_here=False)
    killed = 0
    for nth in (1, 2):
        killed += workers.run(SYNC, server.pk, at=place, nth=nth) == -9
        lease_runs_out()
    sync(server)
    change(here(server)["Person 1"], role="Head")
    change(here(server)["Person 2"], role="Head")
    keep(server, "Made here")
    contacts.remove([here(server)["Person 3"], here(server)["Person 4"]])
    undo_is_past()
    for nth in (1, 2):
        killed += workers.run(SYNC, server.pk, at=place, nth=nth) == -9
        lease_runs_out()
    assert killed
    sync(server)
    assert len(here(server)) == len(phone.names()) == 59
    assert "TITLE:Head" in phone.get("c1")
    assert "TITLE:Head" in phone.get("c2")
    assert "c3" not in phone.names()
    assert not CardLink.objects.exclude(crossed={}).exists()
    for link in CardLink.objects.select_related("contact"):
        assert link.absent == (link.contact is None or link.contact.removed_at is not None)


def test_a_second_worker_gets_no_lease_and_a_sleeper_cannot_write(phone: Phone, workers: Workers) -> None:
    phone.put("a", card("a", "Amara Okafor"))
    server = connected(phone)
    follow(server)
    change(here(server)["Amara Okafor"], role="Head")
    sleeper = workers.stop_at("card put", SYNC, server.pk)
    assert sync_cards(server.pk) is False
    lease_runs_out()
    sync(server)
    phone.put("a", card("a", "Amara Li"))
    sync(server)
    before = list(CardLink.objects.values()), here(server)["Amara Li"].changed_at
    assert sleeper.resume() == 0
    assert (list(CardLink.objects.values()), here(server)["Amara Li"].changed_at) == before


def test_who_disconnects_during_a_pass_is_written_to_no_more(phone: Phone, workers: Workers) -> None:
    phone.put("a", card("a", "Amara Okafor"))
    server = connected(phone)
    follow(server)
    phone.put("a", card("a", "Amara Li"))
    sleeper = workers.stop_at("before cards", SYNC, server.pk)
    card_servers.disconnect(server, take=True)
    assert sleeper.resume() == 0
    assert here(server) == {}
    server.refresh_from_db()
    assert card_servers.reconnect(server)
    assert set(here(server)) == {"Amara Okafor"}
    sync(server)
    assert set(here(server)) == {"Amara Li"}
    assert phone.names() == {"a"}
    assert not CardLink.objects.exclude(crossed={}).exists()


def test_a_change_during_a_pass_is_sent_soon_after(phone: Phone, workers: Workers) -> None:
    phone.put("a", card("a", "Amara Okafor"))
    server = connected(phone)
    follow(server)
    phone.put("b", card("b", "Bo Li"))
    running = workers.stop_at("cards written", SYNC, server.pk)
    contact = change(here(server)["Amara Okafor"], role="Head")
    CardLink.objects.filter(contact=contact).update(problem="x", problem_at=contact.changed_at)  # not by this pass
    assert running.resume() == 0
    server.refresh_from_db()
    assert (server.next_run_at - timezone.now()).total_seconds() < 10


# --- disconnecting ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("take", [False, True])
def test_disconnecting_changes_nothing_there(phone: Phone, take: bool) -> None:
    phone.put("a", card("a", "Amara Okafor"))
    server = connected(phone)
    follow(server)
    keep(server, "Only Here")
    card_servers.disconnect(server, take=take)
    undo_is_past()
    assert sync_cards(server.pk) is False
    assert due.claim_card_servers() == []
    assert phone.names() == {"a"}
    assert set(here(server)) == ({"Only Here"} if take else {"Only Here", "Amara Okafor"})


def test_a_book_no_longer_chosen_is_left_alone_there_whatever_happens_here(phone: Phone) -> None:
    """Removed here meanwhile, they are not removed there when it is chosen again: they come back."""
    phone.put("a", card("a", "Amara Okafor", *ODD))
    phone.put("b", card("b", "Bo Li"))
    server = connected(phone)
    book = follow(server)
    card_servers.choose(server, [], takes_new=None, also_here=False)
    assert set(here(server)) == {"Amara Okafor", "Bo Li"}
    contacts.remove([here(server)["Amara Okafor"]])
    change(here(server)["Bo Li"], role="Head")
    undo_is_past()
    sync(server)
    card_servers.choose(server, [book.pk], takes_new=book.pk, also_here=False)
    sync(server)
    assert phone.names() == {"a", "b"}
    assert set(here(server)) == {"Amara Okafor", "Bo Li"}
    assert "TITLE:Head" in phone.get("b")
    assert Contact.objects.count() == 2


def test_a_book_no_longer_chosen_is_written_to_by_no_pass(phone: Phone, workers: Workers) -> None:
    phone.put("a", card("a", "Amara Okafor"))
    server = connected(phone)
    follow(server)
    phone.put("b", card("b", "Bo Li"))
    running = workers.stop_at("before cards", SYNC, server.pk)
    card_servers.choose(server, [], takes_new=None, also_here=False)
    assert running.resume() == 0
    assert set(here(server)) == {"Amara Okafor"}
    assert not CardLink.objects.exists()


def test_connected_anew_everybody_is_there_once(phone: Phone) -> None:
    phone.put("a", card("a", "Amara Okafor"))
    for take in (False, True):
        server = connected(phone)
        Contact.objects.update(user=server.user)
        follow(server)
        assert list(here(server)) == ["Amara Okafor"]
        assert Contact.objects.count() == 1
        card_servers.disconnect(server, take=take)
