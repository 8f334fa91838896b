"""The address book: kept, found, merged, grouped, brought in and given out; every removal can be taken back."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tests.app.conftest import Somebody
from tests.support.address_book import fill
from webmail.mime.contact_cards import Card
from webmail.models import Contact, ContactGroup
from webmail.queries import people
from webmail.services import contacts
from webmail.services.contacts import Details

LIST = reverse("mail:contacts")


def keep(who: Somebody, name: str = "Amara Okafor", *mails: str, **more: Any) -> Contact:
    return contacts.save(who.user, Details(name=name, mails=mails or ("amara@pier4.example",), **more))


def do(who: Somebody, what: str, *chosen: Contact, **more: Any) -> Any:
    values = {"do": what, "contact": [one.pk for one in chosen]} | more
    return who.client.post(reverse("mail:contacts_do"), values, follow=True)


def undo(who: Somebody, page: Any) -> None:
    address = page.content.decode().split('data-undo="')[1].split('"')[0]
    assert who.client.post(address).status_code == 302


def page(who: Somebody, query: str = "") -> str:
    return who.client.get(LIST + query).content.decode()


def test_a_contact_is_made_changed_and_found(alice: Somebody) -> None:
    typed = {"name": "Amara Ökafor", "mails": "amara@pier4.example\r\na@x.example", "numbers": "+47 22", "notes": "Ink"}
    assert alice.client.post(reverse("mail:contact_new"), typed).status_code == 302
    made = Contact.objects.get()
    assert (made.mails, made.numbers) == (["amara@pier4.example", "a@x.example"], ["+47 22"])
    for query in ("?q=okaf", "?q=ÖKAFOR", "?q=pier4", "?q=amara+x.ex", "?q=22"):
        assert "Amara Ökafor" in page(alice, query), query
    assert "Amara" not in page(alice, "?q=kafor")
    alice.client.post(reverse("mail:contact", args=[made.pk]), typed | {"name": "Amara O", "mails": "a@x.example"})
    made.refresh_from_db()
    assert (made.name, made.mails) == ("Amara O", ["a@x.example"])
    assert "Amara O" not in page(alice, "?q=pier4")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({}, "Give a name, an address or a number"),
        ({"mails": "good@x.example\nnobody"}, "“nobody” is not an address"),
        ({"name": "a\r\nb"}, "single line"),
        ({"numbers": "1\n" * 30 + "\n".join(map(str, range(30)))}, "At most 20 lines"),
        ({"name": "x", "addresses": "y" * 400}, "is too long"),
    ],
)
def test_what_cannot_be_kept_is_said_beside_the_field(alice: Somebody, typed: dict[str, str], words: str) -> None:
    answer = alice.client.post(reverse("mail:contact_new"), typed)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Contact.objects.exists()


def test_contacts_and_groups_of_others_do_not_exist(alice: Somebody, bob: Somebody) -> None:
    theirs = keep(bob)
    group = contacts.name_group(bob.user, "Print")
    assert "Amara" not in page(alice)
    assert alice.client.get(reverse("mail:contact", args=[theirs.pk])).status_code == 404
    assert alice.client.post(reverse("mail:contact_apart", args=[theirs.pk])).status_code == 404
    assert alice.client.get(f"{LIST}?group={group.pk}").status_code == 404
    assert alice.client.post(reverse("mail:contact_group", args=[group.pk]), {"do": "remove"}).status_code == 404
    assert do(alice, f"join:{group.pk}", theirs).status_code == 404
    do(alice, "remove", theirs)
    assert Contact.objects.filter(removed_at=None).exists()
    contacts.remove([theirs])
    assert alice.client.post(reverse("mail:contacts_restore", args=[str(theirs.pk)])).status_code == 404
    assert people.suggestions(alice.user, "amara") == ()
    assert b"".join(alice.client.get(reverse("mail:contacts_vcf")).streaming_content) == b""  # type: ignore[attr-defined]  # the test client's own


def test_removing_is_undone(alice: Somebody) -> None:
    both = [keep(alice), keep(alice, "Bo", "bo@x.example")]
    answer = do(alice, "remove", *both)
    assert "2 contacts removed" in answer.content.decode()
    assert "Amara" not in page(alice)
    undo(alice, answer)
    assert "Amara" in page(alice)
    assert "Bo" in page(alice)


def test_merging_joins_what_is_known_and_is_undone(alice: Somebody) -> None:
    one = keep(alice, "Amara", "a@x.example", notes="Ink")
    two = keep(alice, "Amara Okafor", "A@x.example", "amara@pier4.example", organisation="Pier 4", notes="Paper")
    contacts.name_group(alice.user, "Print").contacts.add(two)
    answer = do(alice, "merge", one, two)
    kept = Contact.objects.get(removed_at=None)
    assert (kept.name, kept.organisation, kept.notes) == ("Amara", "Pier 4", "Ink\n\nPaper")
    assert kept.mails == ["a@x.example", "amara@pier4.example"]
    assert list(kept.groups.values_list("name", flat=True)) == ["Print"]
    undo(alice, answer)
    assert Contact.objects.filter(removed_at=None).count() == 2
    kept.refresh_from_db()
    assert (kept.organisation, kept.mails, kept.notes) == ("", ["a@x.example"], "Ink")


def test_a_group_is_written_to_as_one(alice: Somebody) -> None:
    group = contacts.name_group(alice.user, "Printers")
    both = [keep(alice), keep(alice, "Bo, the second", "bo@x.example")]
    do(alice, f"join:{group.pk}", *both)
    found = alice.client.get(reverse("mail:people"), {"q": "print"}).json()["people"]
    assert [(one["name"], one["hint"]) for one in found] == [("Printers", "2 people")]
    assert found[0]["everyone"] == 'Amara Okafor <amara@pier4.example>, "Bo, the second" <bo@x.example>'
    assert "Bo, the second" in page(alice, f"?group={group.pk}")
    do(alice, f"leave:{group.pk}", both[1])
    assert "Bo, the second" not in page(alice, f"?group={group.pk}")


def test_a_group_goes_and_comes_back_with_its_people(alice: Somebody) -> None:
    group = contacts.name_group(alice.user, "Printers")
    group.contacts.add(keep(alice))
    answer = alice.client.post(reverse("mail:contact_group", args=[group.pk]), {"do": "remove"}, follow=True)
    assert alice.client.get(f"{LIST}?group={group.pk}").status_code == 404
    undo(alice, answer)
    assert "Amara" in page(alice, f"?group={group.pk}")


def test_two_groups_cannot_have_one_name(alice: Somebody) -> None:
    contacts.name_group(alice.user, "One")
    two = contacts.name_group(alice.user, "Two")
    answer = alice.client.post(reverse("mail:contact_group", args=[two.pk]), {"name": "One"}, follow=True)
    assert "Another group has this name" in answer.content.decode()
    assert set(ContactGroup.objects.values_list("name", flat=True)) == {"One", "Two"}


def test_contacts_are_suggested_beside_whom_one_has_written_to(alice: Somebody) -> None:
    keep(alice, "Zoe Quay", "zoe@quay.example", "z@home.example", organisation="Quay")
    found = people.suggestions(alice.user, "quay")
    assert [(one.name, one.address, one.hint) for one in found] == [
        ("Zoe Quay", "zoe@quay.example", "Quay"),
        ("Zoe Quay", "z@home.example", "Quay"),
    ]


def bring(who: Somebody, octets: bytes, name: str = "book.vcf") -> Any:
    return who.client.post(reverse("mail:contacts_import"), {"file": SimpleUploadedFile(name, octets)}, follow=True)


def test_what_is_given_out_comes_back_in_as_the_same(alice: Somebody, bob: Somebody) -> None:
    keep(alice, "Amara Okafor", "amara@pier4.example", numbers=["+47 22 33 44"], organisation="Pier 4", role="Print")
    keep(alice, "=cmd()", "bo@x.example")
    for kind in ("vcf", "csv"):
        response = alice.client.get(reverse(f"mail:contacts_{kind}"))
        octets = b"".join(response.streaming_content)  # type: ignore[attr-defined]  # the test client's own
        assert response["Content-Disposition"] == f'attachment; filename="contacts.{kind}"'
        assert "2 added" in bring(bob, octets).content.decode()
        names = sorted(Contact.objects.filter(user=bob.user).values_list("name", "organisation", "role"))
        assert names == [("=cmd()", "", ""), ("Amara Okafor", "Pier 4", "Print")]
        Contact.objects.filter(user=bob.user).delete()


def test_an_import_writes_over_nobody_and_is_undone(alice: Somebody) -> None:
    keep(alice, "Amara", "amara@pier4.example", organisation="Pier 4")
    table = "Name,Email,Company,Phone\nOther name,AMARA@pier4.example,Else,12\nBo,bo@x.example,,\nBo,bo@x.example,,\n"
    answer = bring(alice, table.encode(), "book.csv")
    assert "1 added, 1 have gained something, 1 were here already" in answer.content.decode()
    amara = Contact.objects.get(mails__contains=["amara@pier4.example"])
    assert (amara.name, amara.organisation, amara.numbers) == ("Amara", "Pier 4", ["12"])
    undo(alice, answer)
    assert "bo@x.example" not in page(alice)
    assert "Amara" in page(alice)


@pytest.mark.parametrize("octets", [b"", b"%PDF-1.7", b"a,b\n1,2"])
def test_a_file_without_people_is_refused_in_words(alice: Somebody, octets: bytes) -> None:
    answer = bring(alice, octets)
    assert answer.status_code == 422
    assert "neither a vCard file nor a table" in answer.content.decode()


def test_an_address_book_has_an_end(alice: Somebody, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts, "MOST", 2)
    keep(alice)
    with pytest.raises(contacts.TooMany):
        contacts.bring_in(alice.user, [Card(name="a"), Card(name="b")])
    assert Contact.objects.count() == 1
    assert "holds 2 contacts" in bring(alice, b"Name,Email\na,a@b.example\nb,b@b.example\n").content.decode()


def test_the_list_goes_on_page_by_page_without_leaving_anybody_out(alice: Somebody) -> None:
    contacts.bring_in(alice.user, [Card(name=f"Same name {n % 3}", mails=[f"m{n}@x.example"]) for n in range(230)])
    seen: list[str] = []
    where = ""
    for _ in range(3):
        text = page(alice, where)
        seen += [piece.split('"')[0] for piece in text.split('id="ct-')[1:]]
        where = text.split('class="btn" href="?')[1].split('"')[0].replace("&amp;", "&") if 'href="?' in text else ""
        where = f"?{where}" if where else ""
    assert (len(seen), len(set(seen)), where) == (230, 230, "")


def test_writing_to_those_chosen_opens_a_message_to_them(alice: Somebody) -> None:
    answer = alice.client.post(reverse("mail:contacts_do"), {"do": "write", "contact": [keep(alice).pk]})
    assert answer["Location"].startswith(f"{reverse('mail:compose')}?to=Amara+Okafor")


def test_a_card_that_came_with_mail_begins_a_contact(alice: Somebody) -> None:
    asked = {"name": "Bo\r\n<script>", "mail": "bo@x.example", "organisation": "Pier"}
    text = alice.client.get(reverse("mail:contact_new"), asked).content.decode()
    assert 'value="Bo &lt;script&gt;"' in text
    assert "bo@x.example" in text
    assert not Contact.objects.exists()


def test_undoing_a_merge_takes_back_the_groups_that_came_with_it(alice: Somebody) -> None:
    one, two = keep(alice), keep(alice, "Bo", "bo@x.example")
    shared, gained = contacts.name_group(alice.user, "Print"), contacts.name_group(alice.user, "Paper")
    shared.contacts.add(one, two)
    gained.contacts.add(two)
    undo(alice, do(alice, "merge", one, two))
    assert list(one.groups.values_list("name", flat=True)) == ["Print"]
    assert set(two.groups.values_list("name", flat=True)) == {"Print", "Paper"}


def test_two_windows_that_merge_the_same_people_lose_nobody(alice: Somebody) -> None:
    one, two = keep(alice), keep(alice, "Bo", "bo@x.example")
    assert contacts.merge([one, two]) is not None
    assert contacts.merge([two, one]) is None
    assert contacts.merge([one, one]) is None
    kept = Contact.objects.get(removed_at=None)
    assert (kept.pk, kept.mails) == (one.pk, ["amara@pier4.example", "bo@x.example"])


@pytest.mark.parametrize("query", ["?after=%00~1", "?q=%00", "?q=a%00b", "?after=a~%D9%A3", "?after=~" + "9" * 40])
def test_no_address_of_the_list_breaks_it(alice: Somebody, query: str) -> None:
    assert alice.client.get(LIST + query).status_code == 200


def test_writing_to_many_cuts_no_address(alice: Somebody) -> None:
    many = [keep(alice, f"Somebody Number {n}", f"somebody{n}@quay{n}.example") for n in range(100)]
    answer = alice.client.post(reverse("mail:contacts_do"), {"do": "write", "contact": [one.pk for one in many]})
    text = alice.client.get(answer["Location"]).content.decode()
    assert "somebody99@quay99.example" in text


@pytest.mark.parametrize(
    ("octets", "name"),
    [
        (b"BEGIN:VCARD\nFN:Bo\nEMAIL:bo@x.example\\, spy@e.example\nEMAIL:b@x.example\nEND:VCARD\n", "a.vcf"),
        (b'Name,E-mail 1,E-mail 2\nBo,"bo@x.example, spy@e.example",b@x.example\n', "a.csv"),
    ],
)
def test_what_a_file_calls_an_address_is_written_to_only_if_it_is_one(
    alice: Somebody, octets: bytes, name: str
) -> None:
    for _again in range(2):
        bring(alice, octets, name)
    made = Contact.objects.get()
    assert (made.mails, made.notes) == (["b@x.example"], "bo@x.example, spy@e.example")


def test_a_group_that_one_message_cannot_go_to_is_not_suggested(alice: Somebody) -> None:
    group = contacts.name_group(alice.user, "Press")
    fill(alice.user, group, 500)
    (found,) = people.suggestions(alice.user, "press")
    assert (found.hint, found.everyone.count("@")) == ("500 people", 500)
    group.contacts.add(keep(alice))
    assert people.suggestions(alice.user, "press") == ()
