"""Address book servers in Chromium, with a real one: connected, chosen from, disconnected; also without scripting."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import CardServer, User
from tests.browser.test_compose import maren, sign_in
from tests.servers.card_rig import named
from tests.support.browser import CheckAxe, OpenPage, Screenshot
from tests.support.live import Live
from tests.support.loopback import PASSWORD
from tests.support.radicale import Radicale, card
from webmail.models import CardBook, CardLink, Contact
from webmail.services import contacts
from webmail.services.contacts import Details

__all__ = ["maren"]
WIDTHS = [(width, dark) for width in (1440, 1024, 390) for dark in (False, True)]


def test_a_server_is_connected_chosen_from_and_followed(
    live: Live, maren: User, radicale: Radicale, page: Page, axe: CheckAxe
) -> None:
    phone = radicale.add_user("Contacts", "Work")
    phone.put("a", card("a", "Amara Okafor", "EMAIL:amara@pier4.example"))
    named(radicale.port, radicale.tls.ca_pem)
    sign_in(page, maren, live)
    page.goto(f"{live.url}/settings/address-books/")
    axe(page)
    page.get_by_role("link", name="Connect a server").first.click()
    axe(page)
    page.get_by_label("Server or e-mail address").fill(f"localhost:{radicale.port}")
    page.get_by_label("User name").fill(phone.user)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Connect").click()
    expect(page.locator("#book-state")).to_contain_text("Choose what to keep the same", timeout=20_000)
    page.get_by_role("link", name="Choose address books").click()
    page.get_by_role("checkbox", name="Contacts").check()
    page.get_by_label("New contacts go to").select_option(label="Contacts")
    axe(page)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#book-state")).to_contain_text("1 contact", timeout=20_000)
    page.goto(f"{live.url}/contacts/new/")
    page.locator("#id_name").fill("Zoe Quay")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".contact-line")).to_have_count(2)
    page.goto(f"{live.url}/settings/address-books/")
    page.get_by_role("button", name="now").click()
    expect(page.locator("#book-state")).to_contain_text("2 contacts", timeout=20_000)
    expect(page.locator("#book-state")).not_to_contain_text("on its way", timeout=20_000)
    assert len(phone.names()) == 2
    page.get_by_role("link", name="Disconnect").click()
    axe(page)
    page.get_by_role("button", name="Disconnect, keep the contacts here").click()
    expect(page.locator(".toast")).to_contain_text("is disconnected")
    page.locator(".toast .undo").click()
    expect(page.locator("#book-state")).to_contain_text("2 contacts")


@pytest.mark.parametrize(("width", "dark"), WIDTHS)
def test_every_state_is_shown_in_order_at_any_width(
    live: Live, maren: User, open_page: OpenPage, axe: CheckAxe, screenshot: Screenshot, width: int, dark: bool
) -> None:
    server = busy(maren)
    page = open_page(width=width, dark=dark, scripting=not dark)
    sign_in(page, maren, live)
    look = "dark" if dark else "light"
    for name, path in (
        ("list", ""),
        ("server", f"{server.pk}/"),
        ("disconnect", f"{server.pk}/remove/"),
        ("connect", "add/"),
    ):
        page.goto(f"{live.url}/settings/address-books/{path}")
        wide = (
            page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if not dark
            else 0
        )
        assert wide <= 0
        if not dark:
            axe(page)
        screenshot(page, f"address-books-{name}-{width}-{look}")
        page.locator(".settings-scroll").evaluate("node => node.scrollTo(0, 9999)") if not dark else None
        if name == "server" and not dark:
            screenshot(page, f"address-books-{name}-end-{width}-{look}")
    contact = Contact.objects.get(name="Amara Okafor")
    for name, path in (("contacts", ""), ("contact", f"{contact.pk}/")):
        page.goto(f"{live.url}/contacts/{path}")
        if not dark:
            axe(page)
        screenshot(page, f"address-books-{name}-{width}-{look}")


def busy(user: User) -> CardServer:
    """A server with everything there is to say, and another in trouble; no worker looks at them."""
    later = timezone.now() + timedelta(days=1)
    columns: dict[str, Any] = {"state": "working", "last_sync_at": timezone.now(), "next_run_at": later}
    place = "https://cloud.harbourlane.example/dav/"
    server = CardServer.objects.create(user=user, address=place, username="maren", **columns)
    line = "401 Unauthorized"
    trouble: dict[str, Any] = {"state": "refused", "error_code": "auth", "server_line": line, "refused_logins": 3}
    broken = "maren@contacts.example"
    CardServer.objects.create(user=user, address=broken, username=broken, **trouble)
    book = CardBook.objects.create(
        server=server, url="https://cloud.harbourlane.example/dav/b/", name="Contacts", chosen=True, takes_new=True
    )
    CardBook.objects.create(
        server=server, url="https://cloud.harbourlane.example/dav/w/", name="Studio, shared", writable=False
    )
    crossed = {"kind": "both", "fields": {"role": ["Head of print", "Director of everything that is printed"]}}
    people: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Amara Okafor", {"crossed": crossed}),
        ("Bo Li", {"problem": "415 Unsupported Media Type"}),
        ("Cy Rus", {"vanished": True}),
    )
    for number, (name, more) in enumerate(people):
        contact = contacts.save(user, Details(name=name, mails=[f"p{number}@x.example"]))
        CardLink.objects.create(
            book=book, contact=contact, href=f"/dav/b/{number}.vcf", etag="1", known_at=contact.changed_at, **more
        )
    contacts.save(user, Details(name="Only Here"))
    CardServer.objects.filter(user=user).update(next_run_at=later)
    return server
