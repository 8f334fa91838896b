"""What nobody writes by intention: a word beside the field, and the draft is kept with all that was typed."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tests.app.conftest import Somebody
from tests.app.test_composing import post, told
from webmail.models import Draft, Outgoing, Upload

CROWD = ", ".join(f"p{number}@crowd.example" for number in range(10_000))


@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
def test_ten_thousand_recipients_are_too_many_and_none_is_lost(alice: Somebody, field: str) -> None:
    response = post(alice, do="send", **{field: CROWD})
    assert response.status_code == 422
    assert "at most 500 recipients" in told(response)["errors"][field]
    draft = Draft.objects.get(closed_at=None)
    assert getattr(draft, field).count("@crowd.example") == 10_000
    assert not Outgoing.objects.exists()


def test_ten_thousand_recipients_are_saved_as_they_are_typed(alice: Somebody) -> None:
    answer = told(post(alice, to=CROWD, subject="Everybody"))
    assert "at most 500 recipients" in answer["errors"]["to"]
    assert Draft.objects.get(pk=answer["draft"]).to.endswith("p9999@crowd.example")


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r", "\x0b", "\u2028"])
def test_a_break_in_an_address_is_told_or_made_a_space(alice: Somebody, line_break: str) -> None:
    response = post(alice, do="send", to=f"amara@pier4.example{line_break}Bcc: spy@crowd.example")
    assert response.status_code == 422
    assert told(response)["errors"]["to"]
    assert Draft.objects.get(closed_at=None).subject == "Proofs"


@pytest.mark.parametrize(
    "address",
    [
        "a@[127.0.0.1]",
        "a@b.example\0",
        '"a b"@b.example',
        "x" * 5_000 + "@b.example",
        "a@" + "x" * 5_000,
    ],
)
def test_an_address_that_would_play_tricks_is_no_address(alice: Somebody, address: str) -> None:
    response = post(alice, do="send", to=address)
    assert response.status_code == 422
    assert told(response)["errors"]["to"]
    assert Draft.objects.filter(closed_at=None).count() == 1


@pytest.mark.parametrize("typed", ["a@b.example> SIZE=1", "<a@b.example>><c@d.example", "@relay.example:a@b.example"])
def test_what_stands_beside_an_address_is_no_part_of_it(alice: Somebody, typed: str) -> None:
    assert post(alice, do="send", to=typed).status_code == 200
    assert [person.address for person in Outgoing.objects.get().recipients.all()] == ["a@b.example"]


def test_a_name_of_five_thousand_letters_is_sent_in_lines_that_servers_take(alice: Somebody) -> None:
    from webmail import storage

    response = post(alice, do="send", to=f'"{"Amara " * 833}" <amara@pier4.example>', subject="S" * 2_000)
    assert response.status_code < 400, response.content
    made = Outgoing.objects.get()
    with storage.open_file(made.account_id, made.digest) as file:
        assert max(len(line) for line in file.read().split(b"\r\n")) <= 998


def test_a_subject_of_five_thousand_letters_is_told_and_kept(alice: Somebody) -> None:
    response = post(alice, do="send", subject="S" * 5_000)
    assert (response.status_code, list(told(response)["errors"])) == (422, ["subject"])
    assert Draft.objects.get(closed_at=None).subject == "S" * 5_000


def test_a_file_of_nothing_is_a_file(alice: Somebody) -> None:
    draft = told(post(alice))["draft"]
    files = reverse("mail:draft_files", args=[draft])
    answer = alice.client.post(files, {"files": SimpleUploadedFile("empty.txt", b"")})
    assert answer.status_code == 200
    assert [(one["name"], one["size"]) for one in answer.json()["uploads"]] == [("empty.txt", 0)]
    assert post(alice, draft=draft, revision=1, do="send").status_code < 400
    assert Outgoing.objects.count() == 1


def test_a_files_name_of_five_thousand_letters_keeps_its_ending(alice: Somebody) -> None:
    draft = told(post(alice))["draft"]
    files = reverse("mail:draft_files", args=[draft])
    alice.client.post(files, {"files": SimpleUploadedFile("p" * 5_000 + ".pdf", b"%PDF-1.7")})
    (kept,) = Upload.objects.all()
    assert kept.filename.endswith(".pdf")
    assert len(kept.filename.encode()) <= 255
