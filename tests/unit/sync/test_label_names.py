"""Which label a mailbox shows, and labels as texts."""

from __future__ import annotations

import pytest

from webmail.protocols.values import ListedMailbox
from webmail.sync.label_names import is_home, label_of, label_texts, on_the_wire


@pytest.mark.parametrize(
    ("name", "attributes", "label"),
    [
        (b"INBOX", (), "\\Inbox"),
        (b"[Gmail]/Gesendet", ("\\sent",), "\\Sent"),
        (b"[Gmail]/Entw&APw-rfe", ("\\drafts",), "\\Draft"),
        (b"[Gmail]/Markiert", ("\\flagged",), "\\Starred"),
        (b"[Gmail]/Wichtig", ("\\important",), "\\Important"),
        (b"Work/H&APY-fen", (), "Work/H&APY-fen"),
        (b"[Gmail]/Alle Nachrichten", ("\\all",), ""),
        (b"[Gmail]/Papierkorb", ("\\trash",), ""),
        (b"[Gmail]/Spam", ("\\junk",), ""),
        (b"[Gmail]", ("\\noselect",), ""),
    ],
)
def test_the_label_of_a_mailbox(name: bytes, attributes: tuple[str, ...], label: str) -> None:
    box = ListedMailbox(name, "/", frozenset(attributes), subscribed=True)
    assert label_of(box) == label
    assert is_home(box) == ("\\all" in attributes)


def test_labels_as_texts_and_back() -> None:
    assert label_texts(None) is None
    assert label_texts(()) == ()
    texts = label_texts((b"Work", b"\\Starred", b"\\inbox", b"\\Drafts", b"Work", b"h\xf6fen", b"a\0b"))
    assert texts == ("Work", "\\Draft", "\\Inbox", "ab", "h\xf6fen")
    assert on_the_wire(frozenset({"h\xf6fen", "Work"})) == [b"Work", b"h\xf6fen"]
