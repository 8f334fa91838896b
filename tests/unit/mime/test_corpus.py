"""Public mail, awkward and malformed, where it is at hand: nothing raises, nothing comes out blank (S50, fault 42)."""

import os
from pathlib import Path

import pytest

from webmail.mime.parse import ParsedMessage, parse_message, part_bytes, part_text
from webmail.mime.preview import html_to_text, snippet
from webmail.mime.structure import choose_body, tree_has_attachments, walk

CORPUS = os.environ.get("MAILROOM_CORPUS", "")


def corpus_files() -> list[Path]:
    return sorted(path for path in Path(CORPUS, "mime").rglob("*") if path.is_file()) if CORPUS else []


def is_blank(raw: bytes, parsed: ParsedMessage) -> bool:
    choice = choose_body(parsed.root)
    texts = [part_text(raw, part) for part in (choice.text, choice.html, *choice.more) if part]
    seen = any((html_to_text(text) if "<" in text else text).strip() for text in texts)
    return not (seen or choice.attachments or choice.inline)


def has_content(raw: bytes) -> bool:
    """Whether anything follows the first blank line."""
    return bool(raw.replace(b"\r\n", b"\n").partition(b"\n\n")[2].strip())


@pytest.mark.skipif(not CORPUS, reason="MAILROOM_CORPUS names no folder of public mail")
def test_corpus_is_there() -> None:
    assert len(corpus_files()) > 50


@pytest.mark.parametrize("path", corpus_files(), ids=lambda path: path.name)
def test_f42_public_mail_is_read(path: Path) -> None:
    raw = path.read_bytes()
    parsed = parse_message(raw)
    assert parsed.problem != "unreadable"
    tree_has_attachments(parsed.root)
    for part in walk(parsed.root):
        part_bytes(raw, part)
        snippet(part_text(raw, part))
    assert not (is_blank(raw, parsed) and has_content(raw))
