"""Names: shown as people mean them, sent as the server wrote them, encoded so that all clients agree."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from imapclient import imap_utf7

from webmail.protocols.imap_names import (
    child_name,
    display_name,
    display_path,
    encode_name,
    special_uses,
    use_by_name,
)
from webmail.protocols.values import ListedMailbox


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        (b"INBOX", "INBOX"),
        (b"Entw&APw-rfe", "Entwürfe"),
        ("Entwürfe".encode(), "Entwürfe"),
        ("Entwürfe".encode("latin-1"), "Entwürfe"),
        (b"R & D", "R & D"),
        (b"R &- D", "R & D"),
        (b"AT&T", "AT&T"),
        (b"x&AOk", "xé"),
        (b"&BBAEMQQyACYEMwQ0BDU-", "Абв&где"),
        (b"&2D3eAA-", "😀"),
        (b"&2D0-", "&2D0-"),
        (b"&!!-", "&!!-"),
        (b"a\x1b[2Jb", "a\ufffd[2Jb"),
        (b"&IC4-gpj.exe", "\ufffdgpj.exe"),
        (b"", ""),
    ],
)
def test_names_for_people(wire: bytes, shown: str) -> None:
    assert display_name(wire) == shown


@given(st.binary(max_size=80))
def test_no_name_raises(wire: bytes) -> None:
    assert all(char.isprintable() or char in "\ufffd\u200c\u200d" for char in display_name(wire))


@given(st.text(min_size=1, max_size=20))
@example("&\u00a1")
def test_names_of_people_come_back_and_other_clients_read_them_alike(name: str) -> None:
    try:
        wire = encode_name(name)
    except ValueError:
        return
    assert encode_name(display_name(wire)) == wire
    assert imap_utf7.decode(wire) == display_name(wire)
    assert wire == imap_utf7.encode(display_name(wire))


@pytest.mark.parametrize(
    "name", ["", "  ", " a", "a ", "a\rb", "a\0b", "a*", "50%", "\u202egpj", "x" * 251, "語" * 100]
)
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        encode_name(name)


def test_children() -> None:
    assert child_name(b"", "a/b", delimiter=".") == b"a/b"
    assert child_name(b"R & D", "Größe", delimiter="/") == b"R & D/Gr&APYA3w-e"
    for parent, name, delimiter in ((b"x", "a/b", "/"), (b"x", "a", None)):
        with pytest.raises(ValueError, match=r"mailboxes|levels"):
            child_name(parent, name, delimiter=delimiter)


def test_paths() -> None:
    assert display_path(b"INBOX.Entw&APw-rfe", ".") == ("INBOX", "Entwürfe")
    assert display_path(b"a.b", None) == ("a.b",)


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("Sent Items", "sent"),
        ("GESENDETE  OBJEKTE", "sent"),
        ("Brouillons", "drafts"),
        ("Papelera", "trash"),
        ("Posta indesiderata", "junk"),
        ("Lixeira", "trash"),
        ("Ongewenste e-mail", "junk"),
        ("Utkast", "drafts"),
        ("Roskakori", "trash"),
        ("Wersje robocze", "drafts"),
        ("Odeslaná pošta", "sent"),
        ("Levélszemét", "junk"),
        ("Отправленные", "sent"),
        ("Чернетки", "drafts"),
        ("Ανεπιθύμητα", "junk"),
        ("Arşiv", "archive"),
        ("ゴミ箱", "trash"),
        ("已发送", "sent"),
        ("스팸", "junk"),
        ("طيوت", None),
        ("טיוטות", "drafts"),
        ("Projects", None),
    ],
)
def test_uses_by_name(name: str, use: str | None) -> None:
    for prefix in (b"", b"INBOX/", b"[Gmail]/"):
        assert use_by_name(prefix + name.encode(), "/") == use


def test_only_names_near_the_top_tell_a_use() -> None:
    assert use_by_name(b"Clients/Sent", "/") is None
    assert use_by_name(b"INBOX/a/Sent", "/") is None


def box(name: str, *attributes: str) -> ListedMailbox:
    return ListedMailbox(name.encode(), "/", frozenset(attributes), True)


def test_the_servers_word_goes_before_the_name_and_each_use_is_given_once() -> None:
    boxes = [
        box("Sent"),
        box("Gesendet", "\\sent"),
        box("Trash", "\\noselect"),
        box("Papierkorb"),
        box("Deleted Items"),
        box("INBOX"),
        box("Everything", "\\all", "\\archive"),
    ]
    assert special_uses(boxes) == {b"INBOX": "inbox", b"Gesendet": "sent", b"Papierkorb": "trash", b"Everything": "all"}
