"""S23: an address book given out starts no formula in a spreadsheet; one brought in makes Mailroom ask nobody."""

import csv
import io
import socket
import time

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tests.app.conftest import Somebody, alice, bob, charlie
from webmail.models import Contact

__all__ = ["alice", "bob", "charlie"]
FORMULAS = ['=HYPERLINK("//e.example","x")', "+1+cmd|'/C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "a;=1", " =1"]


@pytest.mark.django_db
@pytest.mark.parametrize("formula", FORMULAS)
def test_s23_no_cell_of_an_export_begins_a_formula(alice: Somebody, formula: str) -> None:
    Contact.objects.create(
        user=alice.user,
        uid="1",
        name=f"{formula}n",
        organisation=formula,
        notes=formula,
        mails=[f"{formula}@x.example"],
    )
    octets = alice.client.get(reverse("mail:contacts_csv")).getvalue()
    text = octets.decode("utf-8-sig")
    for mark in (",", ";", "\t"):
        for row in list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))[1:]:
            for cell in row:
                assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r")), (mark, cell)


@pytest.mark.django_db
def test_s23_a_card_that_names_pictures_elsewhere_makes_nobody_ask_for_them(
    alice: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def look_up(*words: object, **_more: object) -> list[object]:
        asked.append(words)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    card = (
        "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Amara\r\n  Okafor\r\nEMAIL:amara@pier4.example\r\n"
        "PHOTO:https://tracker.example/a.png\r\nLOGO;VALUE=uri:http://tracker.example/b\r\n"
        "SOUND;VALUE=uri:ftp://tracker.example/c\r\nKEY:https://tracker.example/k\r\nEND:VCARD\r\n"
    )
    file = SimpleUploadedFile("book.vcf", card.encode())
    alice.client.post(reverse("mail:contacts_import"), {"file": file})
    alice.client.get(reverse("mail:contact", args=[Contact.objects.get(user=alice.user).pk]))
    assert Contact.objects.get(user=alice.user).name == "Amara Okafor"
    assert not [words for words in asked if "tracker" in str(words)]


@pytest.mark.django_db
def test_s23_a_file_of_ten_megabytes_is_answered_soon(alice: Somebody) -> None:
    line = b"NOTE:" + b"x" * 70 + b"\r\n" + (b" " + b"y" * 74 + b"\r\n") * 140_000
    card = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Amara\r\nEMAIL:a@x.example\r\n" + line + b"END:VCARD\r\n"
    assert len(card) > 10_000_000
    begun = time.process_time()
    answer = alice.client.post(reverse("mail:contacts_import"), {"file": SimpleUploadedFile("book.vcf", card)})
    assert answer.status_code in (302, 422)
    assert time.process_time() - begun < 20  # seconds of CPU after which it counts as something that stops a worker
