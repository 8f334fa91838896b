"""Faults 4 and 21: folders that are renamed elsewhere, and names as only servers give them."""

from __future__ import annotations

import re

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import account_on, check, message, other_client, quoted, sync
from tests.support.dovecot import Dovecot
from tests.support.faultproxy import FaultProxy, without
from tests.support.scripted_imap import OK, SELECTED, Heard, ScriptedImap
from webmail.connections import open_imap
from webmail.models import Mailbox, Message, MessageBody
from webmail.sync import bodies

pytestmark = pytest.mark.django_db(transaction=True)

# --- 4 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lacking", [(), ("LIST-STATUS",)], ids=["counters", "no counters"])
def test_f04_renamed_without_mailboxid(dovecot: Dovecot, proxy: FaultProxy, lacking: tuple[str, ...]) -> None:
    """Recognised by its counters, which are asked for where the listing gives none. No body is downloaded again."""
    proxy.rule("to_client", rb"CAPABILITY", without(*lacking, "OBJECTID"), nth=None)
    account = account_on(proxy.endpoint, dovecot.add_user())
    dovecot.load_maildir(account.address, [message(n) for n in range(8)], mailbox="Projekte")
    sync(account)
    box = Mailbox.objects.get(account=account, name="Projekte")
    ids = list(Message.objects.filter(account=account).order_by("pk").values_list("pk", flat=True))
    for pk in ids:
        bodies.fetch_body(pk)
    kept = dict(MessageBody.objects.filter(account=account, state="here").values_list("message_id", "pk"))
    assert list(kept) == ids
    said = len(proxy.commands)
    with other_client(dovecot, account.address) as client:
        client.rename("Projekte", "Alte")
    sync(account)
    sync(account)  # a folder is gone when two listings in a row leave it out
    check(dovecot, account)
    renamed = Mailbox.objects.get(account=account, name="Alte")
    assert renamed.pk == box.pk
    assert list(Message.objects.filter(account=account).order_by("pk").values_list("pk", flat=True)) == ids
    assert dict(MessageBody.objects.filter(account=account).values_list("message_id", "pk")) == kept
    assert not [line for line in proxy.commands[said:] if b"BODY.PEEK[" in line and b"BODY.PEEK[HEADER" not in line]


# --- 21 --------------------------------------------------------------------------------------------------------------

NAMES = {
    "Entwürfe".encode(): "Entwürfe",  # raw UTF-8
    b"R & D": "R & D",  # an & that begins nothing
    b"x&AOk": "xé",  # no final -
    b"&BBAEMQQyACYEMwQ0BDU-": "Абв&где",  # an & inside base64, as Yandex writes it
    b'a"b\\c': 'a"b\\c',
    b"Notes ": "Notes",
    b"(odd) {9} %*": "(odd) {9} %*",
    "Lit\u00e9ral".encode("latin-1"): None,
}


def named(heard: Heard) -> bytes:
    """The mailbox of a command: an atom, a quoted string or a literal."""
    text = heard.line[heard.line.index(heard.match[0]) + len(heard.match[0]) :]
    if literal := re.match(rb"\{(\d+)\+?\}\r\n", text):
        return text[literal.end() :][: int(literal[1])]
    if text.startswith(b'"'):
        found = re.match(rb'"((?:[^"\\]|\\.)*)"', text)
        assert found
        return re.sub(rb"\\(.)", rb"\1", found[1])
    return text.split(b" ")[0]


def list_all(names: set[bytes]) -> bytes:
    lines = [b'* LIST () "/" {%d}\r\n%b\r\n' % (len(name), name) for name in sorted(names)]
    lines.append(b'* LIST () "/" INBOX\r\n')
    return b"".join(lines) + OK


def test_f21_names_go_back_as_they_came(script: ScriptedImap) -> None:
    """Listed as literals; opened and renamed by exactly their bytes."""
    names = set(NAMES)
    opened: set[bytes] = set()

    def select(heard: Heard) -> bytes:
        name = named(heard)
        opened.add(name)
        return SELECTED if name in {*names, b"INBOX"} else b"%T NO no such mailbox\r\n"

    def rename(heard: Heard) -> bytes:
        name = named(heard)
        if name not in names:
            return b"%T NO no such mailbox\r\n"
        names.remove(name)
        return OK

    script.answer(rb"\ALIST ", lambda heard: list_all(names))
    script.answer(rb"(?:SELECT|EXAMINE) ", select)
    script.answer(rb"RENAME ", rename)
    account = account_on(script.endpoint, "anna@mail.test")
    sync(account)
    assert opened == {*NAMES, b"INBOX"}
    rows = Mailbox.objects.filter(account=account).exclude(role="inbox")
    shown = {bytes(row.wire_name): row.name for row in rows}
    assert shown.keys() == NAMES.keys()
    assert all(row.phase == "live" and not row.failures for row in rows)
    assert all(name in (None, shown[wire].strip()) for wire, name in NAMES.items())
    account.refresh_from_db()
    with open_imap(account) as session:
        for wire in NAMES:
            session.rename(wire, to=b"Renamed")
    assert not names


def test_f21_odd_names_on_a_real_server(dovecot: Dovecot, proxy: FaultProxy) -> None:
    account: MailAccount = account_on(proxy.endpoint, dovecot.add_user())
    names = ["R &- D", "Entw&APw-rfe", 'a"b', "a\\b", "trailing ", "(x) 50% *", "a b  c"]
    with other_client(dovecot, account.address) as client:
        made = [name for name in names if client.create(quoted(name))[0] == "OK"]
        for name in made:
            assert client.append(quoted(name), None, None, message(names.index(name)))[0] == "OK"
    assert len(made) >= 5
    sync(account)
    check(dovecot, account)
    assert Mailbox.objects.filter(account=account, role="", total=1).count() == len(made)
    with open_imap(account) as session:
        for number, name in enumerate(made):
            session.rename(name.encode(), to=f"Renamed {number}".encode())
    sync(account)
    check(dovecot, account)
    assert Mailbox.objects.filter(account=account, name__startswith="Renamed", total=1).count() == len(made)
