"""What the tests of address book servers share: a person with a server, passes, and both sides compared."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import CardServer, MailServer, User
from tests import factories
from tests.support.loopback import PASSWORD
from tests.support.radicale import Phone
from webmail.models import CardBook, CardLink, Contact
from webmail.services import card_servers, contacts
from webmail.services.contacts import Details
from webmail.sync.cards import sync_cards

SYNC = "webmail.sync.cards:sync_cards"


def named(port: int, ca_pem: str, **columns: Any) -> MailServer:
    """A server on this machine that an administrator named."""
    return MailServer.objects.get_or_create(
        protocol="dav", host="localhost", port=port, defaults={"trusted": True, "ca_certificates": ca_pem} | columns
    )[0]


def connected(phone: Phone, *, password: str = PASSWORD, address: str = "") -> CardServer:
    """Somebody's server whose address books are known and not chosen yet."""
    server = phone.server
    named(server.port, server.tls.ca_pem)
    user = factories.user(f"{phone.user}x{User.objects.count()}")
    return card_servers.connect(user, address=address or server.url, username=phone.user, password=password)


def follow(server: CardServer, *, takes_new: bool = True, also_here: bool = False) -> CardBook:
    """All its address books are chosen; the first takes new contacts. One pass is done."""
    sync(server)
    books = list(CardBook.objects.filter(server=server))
    assert books, (server.error_code, server.server_line)
    first = books[0].pk if takes_new else None
    card_servers.choose(server, [one.pk for one in books], takes_new=first, also_here=also_here)
    sync(server)
    return books[0]


def sync(server: CardServer, *, good: bool = True) -> CardServer:
    """Passes until nothing is left."""
    for _ in range(20):
        if not sync_cards(server.pk):
            break
    server.refresh_from_db()
    if good:
        assert (server.error_code, server.server_line) == ("", "")
        assert server.state in ("working", "choosing")
    return server


def undo_is_past() -> None:
    """Removals were made a minute ago."""
    gone = Contact.objects.filter(removed_at__isnull=False)
    gone.update(removed_at=timezone.now() - timedelta(minutes=1))


def lease_runs_out() -> None:
    CardServer.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def here(server: CardServer) -> dict[str, Contact]:
    """The contacts of the person by name."""
    return {one.name: one for one in Contact.objects.filter(user=server.user, removed_at=None)}


def change(contact: Contact, **fields: Any) -> Contact:
    """As the form does it."""
    contact = Contact.objects.get(pk=contact.pk)
    values = {name: getattr(contact, name) for name in contacts.VALUES} | fields
    return contacts.save(contact.user, Details(**values), contact)


def keep(server: CardServer, name: str, *mails: str) -> Contact:
    return contacts.save(server.user, Details(name=name, mails=mails))


def crossed(contact: Contact) -> dict[str, Any]:
    return dict(CardLink.objects.get(contact=contact).crossed)
