"""People a person wrote to before Mailroom: learnt from Sent once it is here whole."""

from __future__ import annotations

import pytest

from tests.servers.sync_rig import imap_account, message, sync
from tests.support.dovecot import Dovecot
from webmail.models import Correspondent, Mailbox
from webmail.sync import correspondents, plan

pytestmark = pytest.mark.django_db(transaction=True)


def letter(number: int, *people: str) -> bytes:
    return message(number).replace(b"To: me@mail.test", f"To: {', '.join(people)}".encode())


def test_people_are_learnt_from_sent_mail_once(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "FIRST_PAGE", 2)
    account = imap_account(dovecot)
    sent = [letter(1, "Amara <Amara@Pier4.example>"), letter(2, "nobody", "Priya <priya@salt.example>")]
    sent += [letter(number, "Amara <amara@pier4.example>") for number in range(3, 6)]
    dovecot.load_maildir(account.address, sent, mailbox="Sent", flags="S")
    dovecot.load_maildir(account.address, [letter(9, "Somebody <other@x.example>")])
    Correspondent.objects.create(
        user=account.user, address="priya@salt.example", name="P", search="p", times=7, last_at=account.created_at
    )
    sync(account)
    found = Correspondent.objects.filter(user=account.user).order_by("address")
    assert list(found.values_list("address", "name", "times")) == [
        ("amara@pier4.example", "Amara", 4),
        ("priya@salt.example", "P", 7),
    ]
    assert found[0].search == "amara amara@pier4.example"
    dovecot.load_maildir(account.address, [letter(10, "New <new@x.example>")], mailbox="Sent", flags="S")
    sync(account)
    assert found.count() == 2  # what is sent from elsewhere later does not count


def test_nothing_is_learnt_from_other_folders(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [letter(1, "A <a@x.example>")])
    sync(account)
    correspondents.learn(Mailbox.objects.get(account=account, role="inbox"))
    assert not Correspondent.objects.filter(user=account.user).exists()
