"""What a page says about a sender, and that it says nothing while all is well."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.postgres.search import SearchVectorField
from django.db.models import Value
from django.db.models.functions import Cast
from django.utils import timezone

from accounts.models import MailServer
from tests import factories
from webmail.models import Correspondent, Mailbox, MessageBody, MessageSearch, Placement
from webmail.models.search_document import header_document
from webmail.queries.lists import own_addresses
from webmail.queries.trust_panel import TrustPanel, panels

from .conftest import Somebody

PIER = ("Amara Okafor", "amara@pier4.example")


@pytest.fixture(autouse=True)
def _named(alice: Somebody) -> None:
    MailServer.objects.update(authentication_names=["mx.harbourlane.example"])


def arrived(
    who: Somebody,
    sender: tuple[str, str] = PIER,
    *,
    check: str = "pass",
    policy: str = "reject",
    reply_to: str = "",
    box: Mailbox | None = None,
    days: int = 0,
    extra: dict[str, Any] | None = None,
    **fields: Any,
) -> Placement:
    domain = sender[1].rpartition("@")[2]
    told = f"mx.harbourlane.example; dmarc={check} (p={policy}) header.from={domain}"
    people = {"from": [list(sender)], "to": [["", who.account.address]]}
    people |= {"reply_to": [["", reply_to]]} if reply_to else {}
    placed = factories.message(
        box or who.inbox,
        sender=sender,
        at=timezone.now() - timedelta(days=days, minutes=1),
        people=people,
        extra=({"authentication_results": [told]} if check else {}) | (extra or {}),
        **fields,
    )
    MessageSearch.objects.create(
        message=placed.message,
        account_id=placed.account_id,
        received_at=placed.received_at,
        document=Cast(Value(header_document(placed.account_id, "", people)), SearchVectorField()),
    )
    return placed


def known(who: Somebody, address: str = PIER[1], name: str = PIER[0]) -> None:
    Correspondent.objects.create(user=who.user, address=address, name=name, search="", last_at=timezone.now())


def panel(who: Somebody, placed: Placement) -> TrustPanel:
    placed = Placement.objects.select_related("message__body", "mailbox", "thread").get(pk=placed.pk)
    return panels(who.user, placed.thread, [placed], own=own_addresses(who.user))[placed.message_id]


def words(found: TrustPanel) -> str:
    return " ".join(remark.words for remark in found.remarks).translate({0x2068: None, 0x2069: None})


# --- silence ---------------------------------------------------------------------------------------------------------


def test_nothing_is_said_of_somebody_known(alice: Somebody) -> None:
    known(alice)
    found = panel(alice, arrived(alice))
    assert (found.level, found.remarks, found.verified) == ("", (), True)
    assert "pier4.example" in found.check
    assert dict(found.evidence)["DMARC"] == "pass (pier4.example)"


def test_a_sender_who_was_not_checked_has_no_mark_and_no_line(alice: Somebody) -> None:
    known(alice)
    found = panel(alice, arrived(alice, check=""))
    assert (found.level, found.verified) == ("", False)
    assert "could not verify" in found.check
    found = panel(alice, arrived(alice, check="none"))
    assert (found.level, found.verified) == ("", False)
    assert "could not verify" in found.check


def test_a_check_nobody_believes_names_who_made_it(alice: Somebody) -> None:
    known(alice)
    MailServer.objects.update(authentication_names=[])
    found = panel(alice, arrived(alice))
    assert (found.level, found.verified) == ("", False)
    assert found.evidence == (("Not believed", "mx.harbourlane.example"),)


def test_nothing_is_said_of_ones_own_mail(alice: Somebody) -> None:
    sent = factories.mailbox(alice.account, "sent")
    placed = arrived(alice, ("Alice", alice.account.address), box=sent, check="fail")
    assert panels(alice.user, placed.thread, [placed], own=own_addresses(alice.user)) == {}


# --- the check -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "level"), [("reject", "danger"), ("quarantine", "danger"), ("none", "warn")])
def test_a_failed_check(alice: Somebody, policy: str, level: str) -> None:
    known(alice)
    found = panel(alice, arrived(alice, check="fail", policy=policy))
    assert (found.level, found.verified, found.failed) == (level, False, True)
    assert "amara@pier4.example" in words(found)


def test_a_forgery_of_oneself_is_not_called_me(alice: Somebody) -> None:
    placed = arrived(alice, ("Alice", alice.account.address), check="fail", text="Pay this")
    page = alice.client.get(f"/mail/{alice.account.pk}/{alice.inbox.pk}/{placed.thread_id}/")
    (message,) = page.context["thread"].messages
    assert not message.mine
    assert message.trust.level == "danger"


# --- imitations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "level", "said"),
    [
        ("amara@p1er4.example", "danger", "looks like pier4.example, to which you have written"),
        ("it@harbour1ane.example", "danger", "looks like your own harbourlane.example"),
        ("it@hаrbourlane.example", "danger", "xn--hrbourlane-zqi.example looks like your own"),
        ("it@harborlane.example", "warn", "looks like your own"),
        ("it@harbourlane-help.test", "warn", "uses your organisation's name"),
        ("it@mail.harbourlane.example.evil.test", "danger", "looks like your own"),
        ("it@xn--pple-43d.test", "warn", "letters that look like others"),
    ],
)
def test_an_imitation(alice: Somebody, address: str, level: str, said: str) -> None:
    known(alice)
    found = panel(alice, arrived(alice, ("Somebody", address)))
    assert (found.level, found.verified) == (level, False)
    assert said in words(found)


@pytest.mark.parametrize("address", ["amara@news.pier4.example", "it@harbourlane.example", "me@gmail.com"])
def test_no_imitation(alice: Somebody, address: str) -> None:
    known(alice)
    known(alice, "friend@gmx.com", "Friend")
    known(alice, "other@googlemail.com", "Other")
    assert panel(alice, arrived(alice, ("Somebody", address))).level in ("", "note")


def test_a_known_name_at_another_address(alice: Somebody) -> None:
    known(alice)
    found = panel(alice, arrived(alice, (PIER[0], "amara@freepost.test"), check="none"))
    assert found.level == "warn"
    assert "You know Amara Okafor by another address, amara@pier4.example" in words(found)
    assert panel(alice, arrived(alice, (PIER[0], "amara@freepost.test"))).level == "note"


@pytest.mark.parametrize(
    "code", ["multiple-from", "address-in-name", "bidi", "zero-width", "padding", "invalid-address", "no-from"]
)
def test_an_odd_sender_line(alice: Somebody, code: str) -> None:
    known(alice)
    found = panel(alice, arrived(alice, extra={"warnings": [code]}))
    assert (found.level, found.verified) == ("warn", False)


# --- answers, links, first messages ----------------------------------------------------------------------------------


def test_answers_that_go_elsewhere(alice: Somebody) -> None:
    stranger = ("Boss", "boss@firm.test")
    found = panel(alice, arrived(alice, stranger, check="none", reply_to="boss@freepost.test"))
    assert found.level == "warn"
    assert "Answers go to boss@freepost.test" in words(found)
    assert panel(alice, arrived(alice, stranger, reply_to="boss@freepost.test")).level == "note"
    assert "Answers" not in words(panel(alice, arrived(alice, stranger, check="none", reply_to="b@mail.firm.test")))
    known(alice)
    assert "Answers" not in words(panel(alice, arrived(alice, stranger, check="none", reply_to=PIER[1])))


def test_links_that_deceive(alice: Somebody) -> None:
    known(alice)
    placed = arrived(alice, check="none", html="<p>x</p>")
    links = [["bank.test", f"evil{number}.test"] for number in range(10)] + [["", "xn--pple-43d.test"]]
    MessageBody.objects.filter(message=placed.message_id).update(suspect_links=links[:10])
    found = panel(alice, placed)
    assert (found.level, len(found.links), found.more_links) == ("warn", 8, 2)
    assert "10 links name other sites" in words(found)
    MessageBody.objects.filter(message=placed.message_id).update(suspect_links=links[10:])
    assert "1 link leads to a host written with letters" in words(panel(alice, placed))


def test_a_first_message(alice: Somebody) -> None:
    placed = arrived(alice)
    assert "First message from amara@pier4.example." in words(panel(alice, placed))
    arrived(alice, ("Amara Other", "amara@pier5.example"), days=3)
    assert "First message" in words(panel(alice, placed))
    spam = arrived(alice, days=2, box=factories.mailbox(alice.account, "junk"))
    assert "First message" in words(panel(alice, placed))
    Placement.objects.filter(pk=spam.pk).update(mailbox=alice.archive)
    assert "First message" not in words(panel(alice, placed))


def test_nobody_is_called_new_while_older_mail_is_coming(alice: Somebody) -> None:
    placed = arrived(alice)
    Mailbox.objects.filter(pk=alice.archive.pk).update(phase=Mailbox.Phase.INITIAL)
    assert panel(alice, placed).level == ""


def test_no_list_and_nobody_of_last_month_is_called_new(alice: Somebody) -> None:
    assert panel(alice, arrived(alice, list_id="news.pier4.example")).level == ""
    assert panel(alice, arrived(alice, days=40)).level == ""


def test_strangers_know_nothing_of_each_other(alice: Somebody, bob: Somebody) -> None:
    known(bob)
    arrived(bob, days=3)
    assert "First message" in words(panel(alice, arrived(alice)))


def test_a_conversation_costs_the_same_however_many_senders(
    alice: Somebody, django_assert_max_num_queries: Any
) -> None:
    placed = arrived(alice, text="One")
    address = f"/mail/{alice.account.pk}/{alice.inbox.pk}/{placed.thread_id}/"
    alice.client.get(address)
    with django_assert_max_num_queries(30) as few:
        alice.client.get(address, headers={"HX-Request": "true"})
    for number in range(12):
        arrived(alice, (f"Person {number}", f"p{number}@firm{number}.test"), thread=placed.thread, text="Two")
    with django_assert_max_num_queries(len(few)):
        alice.client.get(address, headers={"HX-Request": "true"})
