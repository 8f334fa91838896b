"""The pages about address book servers: what they say, whose they are, and what a form may not do."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import CardServer
from accounts.services import credentials
from tests.app.conftest import Somebody
from webmail.models import CardBook, CardLink, Contact
from webmail.services import card_servers, contacts
from webmail.services.contacts import Details

LIST = reverse("mail:address_books")
ADD = reverse("mail:address_book_add")


def connected(who: Somebody, **columns: Any) -> CardServer:
    server = card_servers.connect(who.user, address="dav.example", username="me", password="secret-word")
    CardServer.objects.filter(pk=server.pk).update(**({"state": "working", "last_sync_at": timezone.now()} | columns))
    server.refresh_from_db()
    return server


def linked(server: CardServer, name: str = "Amara", **columns: Any) -> CardLink:
    """A contact that is here and there."""
    book, _ = CardBook.objects.get_or_create(server=server, url="https://dav.example/b/", defaults={"chosen": True})
    contact = contacts.save(server.user, Details(name=name))
    values = {"etag": '"1"', "known_at": contact.changed_at} | columns
    return CardLink.objects.create(book=book, contact=contact, href=f"/b/{contact.pk}.vcf", **values)


def url(name: str, server: CardServer, *more: str) -> str:
    return reverse(f"mail:{name}", args=[server.pk, *more])


def text(who: Somebody, address: str) -> str:
    return who.client.get(address).content.decode()


def test_a_server_is_connected_by_address_and_password(alice: Somebody) -> None:
    answer = alice.client.post(ADD, {"address": "alice@dav.example", "username": "", "password": "secret-word"})
    server = CardServer.objects.get()
    assert answer.headers["Location"] == url("address_book", server)
    assert (server.username, server.state) == ("alice@dav.example", "new")
    assert credentials.card_password(server) == "secret-word"
    assert "secret-word" not in repr(CardServer.objects.values())
    assert "looking for your address books" in text(alice, url("address_book", server))


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"address": "http://dav.example/"}, "Only https"),
        ({"address": "ftp://dav.example/"}, "no https address"),
        ({"address": "https://u:p@dav.example/"}, "no https address"),
        ({"address": "two words"}, "Type an https address"),
        ({"address": "https://dav.example/", "username": ""}, "Type the user name"),
        ({"username": "a:b"}, "no colon"),
        ({"password": ""}, "required"),
    ],
)
def test_what_cannot_be_a_server_is_said_beside_the_field(alice: Somebody, typed: dict[str, str], words: str) -> None:
    answer = alice.client.post(ADD, {"address": "dav.example", "username": "a", "password": "secret-word"} | typed)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert words in page
    assert "secret-word" not in page
    assert not CardServer.objects.exists()


def test_trouble_is_told_with_its_cure(alice: Somebody) -> None:
    for code, words in (
        ("auth", "refused the password"),
        ("no-books", "No address book was found"),
        ("elsewhere", "connect dav.other.example instead"),
        ("tls", "no password was sent"),
        ("host-not-allowed", "Your administrator can allow it"),
        ("no-basic", "does not sign in by password"),
        ("protocol", "was not understood"),
    ):
        server = connected(alice, state="failing", error_code=code, server_line="dav.other.example")
        assert words in text(alice, url("address_book", server)), code
        assert words in text(alice, LIST), code
        CardServer.objects.all().delete()


def test_books_are_chosen_and_one_takes_what_is_new(alice: Somebody) -> None:
    server = connected(alice, state="choosing")
    before = contacts.save(alice.user, Details(name="Before"))
    one, two = (
        CardBook.objects.create(server=server, url=f"https://dav.example/{n}/", name=f"Book {n}") for n in (1, 2)
    )
    CardBook.objects.filter(pk=two.pk).update(writable=False)
    page = text(alice, url("address_book", server))
    assert "Book 1" in page
    assert f'<option value="{two.pk}"' not in page, "nothing can be written there"
    form = {"part": "books", "books": [two.pk], "takes_new": one.pk}
    answer = alice.client.post(url("address_book", server), form)
    assert answer.status_code == 422
    assert "Choose that address book as well" in answer.content.decode()
    form = {"part": "books", "books": [one.pk, two.pk], "takes_new": one.pk}
    assert alice.client.post(url("address_book", server), form).status_code == 302
    one.refresh_from_db()
    assert (one.chosen, one.takes_new, one.takes_after) == (True, True, before.pk)
    alice.client.post(url("address_book", server), form | {"also_here": "on"})
    one.refresh_from_db()
    assert one.takes_after == 0


def test_until_all_is_here_it_is_a_first_sync(alice: Somebody) -> None:
    server = connected(alice)
    book = CardBook.objects.create(server=server, url="https://dav.example/b/", chosen=True)
    for address in (LIST, url("address_book", server)):
        assert "First sync" in text(alice, address)
        assert "Up to date" not in text(alice, address)
    CardBook.objects.filter(pk=book.pk).update(compared_at=timezone.now())
    for address in (LIST, url("address_book", server)):
        assert "Up to date" in text(alice, address)


def test_a_new_password_does_not_move_a_known_server(alice: Somebody) -> None:
    server = connected(alice, state="refused", error_code="auth", refused_logins=3)
    linked(server)
    form = {"part": "signin", "address": "evil.example", "username": "me", "password": "another-word"}
    assert alice.client.post(url("address_book", server), form).status_code == 302
    server.refresh_from_db()
    assert (server.address, server.state, server.refused_logins) == ("dav.example", "working", 0)
    assert credentials.card_password(server) == "another-word"


def test_disconnecting_is_undone(alice: Somebody) -> None:
    server = connected(alice)
    linked(server)
    contacts.save(alice.user, Details(name="Only Here"))
    page = text(alice, url("address_book_remove", server))
    assert "1 contact here is kept on this server too" in page
    answer = alice.client.post(url("address_book_remove", server), {"take": "1"}, follow=True)
    assert "its contact removed here" in answer.content.decode()
    assert list(Contact.objects.filter(removed_at=None).values_list("name", flat=True)) == ["Only Here"]
    assert alice.client.get(url("address_book", server)).status_code == 404
    undo = answer.content.decode().split('data-undo="')[1].split('"')[0]
    assert alice.client.post(undo).status_code == 302
    assert Contact.objects.filter(removed_at=None).count() == 2
    link = CardLink.objects.select_related("contact").get()
    assert link.contact is not None
    assert link.contact.changed_at == link.known_at, "nothing is to be sent"
    assert alice.client.post(undo).status_code == 404


def test_what_the_server_says_is_gone_is_decided_by_its_owner(alice: Somebody) -> None:
    server = connected(alice)
    linked(server, vanished=True)
    linked(server, "Bo", vanished=True)
    assert "The server says that 2 contacts are gone" in text(alice, url("address_book", server))
    assert "Needs your decision" in text(alice, LIST)
    alice.client.post(url("address_book_do", server, "put_back"))
    assert CardLink.objects.filter(vanished=False, absent=True).count() == 2
    CardLink.objects.update(vanished=True, absent=False)
    answer = alice.client.post(url("address_book_do", server, "believe"), follow=True)
    assert "2 contacts removed" in answer.content.decode()
    assert not Contact.objects.filter(removed_at=None).exists()


def test_a_change_on_both_sides_is_told_and_decided(alice: Somebody) -> None:
    server = connected(alice)
    crossed = {"kind": "both", "fields": {"role": ["Head of print", "Director"]}}
    link = linked(server, crossed=crossed)
    assert link.contact is not None
    contact = link.contact
    page = text(alice, reverse("mail:contact", args=[contact.pk]))
    assert "Head of print" in page
    assert "Director" in page
    assert "Changed on both sides" in text(alice, url("address_book", server))
    alice.client.post(reverse("mail:contact_crossed", args=[contact.pk]), {"do": "mine"})
    contact.refresh_from_db()
    assert contact.role == "Head of print"
    assert contact.changed_at != link.known_at, "it goes there"
    assert "Changed on both sides" not in text(alice, url("address_book", server))


def test_the_address_book_says_when_its_server_needs_somebody(alice: Somebody, bob: Somebody) -> None:
    page = reverse("mail:contacts")
    server = connected(alice)
    assert "dav.example" not in text(alice, page)
    CardServer.objects.update(state="refused", error_code="auth")
    assert "dav.example refused the password" in text(alice, page)
    assert url("address_book", server) in text(alice, page)
    assert "dav.example" not in text(bob, page)
    CardServer.objects.update(state="working", error_code="")
    linked(server, vanished=True)
    assert "dav.example needs your decision" in text(alice, page)


def test_a_form_that_was_open_during_a_change_writes_over_nothing(alice: Somebody) -> None:
    contact = contacts.save(alice.user, Details(name="Amara", mails=["a@x.example"]))
    address = reverse("mail:contact", args=[contact.pk])
    seen = text(alice, address).split('name="seen" value="')[1].split('"')[0]
    contacts.save(alice.user, Details(name="Amara Li", mails=["a@x.example"]), contact)
    answer = alice.client.post(address, {"name": "Amara", "mails": "b@x.example", "seen": seen})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Amara Li" in page
    assert "Nothing is saved yet" in page
    contact.refresh_from_db()
    assert contact.name == "Amara Li"
    again = page.split('name="seen" value="')[1].split('"')[0]
    assert alice.client.post(address, {"name": "Amara", "mails": "b@x.example", "seen": again}).status_code == 302
    contact.refresh_from_db()
    assert contact.mails == ["b@x.example"]


def test_a_change_wakes_the_server_soon(alice: Somebody) -> None:
    server = connected(alice, next_run_at=timezone.now() + timedelta(hours=1))
    contacts.save(alice.user, Details(name="Amara"))
    server.refresh_from_db()
    assert (server.next_run_at - timezone.now()).total_seconds() < 6


def test_servers_in_trouble_keep_their_date(alice: Somebody) -> None:
    later = timezone.now() + timedelta(hours=1)
    server = connected(alice, state="throttled", next_run_at=later)
    contacts.save(alice.user, Details(name="Amara"))
    server.refresh_from_db()
    assert server.next_run_at == later


def test_the_pages_ask_the_same_however_much_there_is(alice: Somebody, django_assert_max_num_queries: Any) -> None:
    server = connected(alice)
    for number in range(30):
        linked(server, f"Person {number}", crossed={"kind": "gone"}, problem="403")
    with django_assert_max_num_queries(16):
        alice.client.get(LIST)
    with django_assert_max_num_queries(24):
        alice.client.get(url("address_book", server))


def test_an_hour_later_the_password_is_gone(alice: Somebody) -> None:
    from webmail.sync.purge import purge

    server = connected(alice)
    linked(server)
    card_servers.disconnect(server, take=False)
    purge()
    assert CardServer.objects.exists()
    CardServer.objects.update(removed_at=timezone.now() - timedelta(hours=2))
    purge()
    assert not CardServer.objects.exists()
    assert Contact.objects.filter(removed_at=None).exists()
