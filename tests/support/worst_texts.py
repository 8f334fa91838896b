"""What reads mail by patterns, and texts of 100 KB on which patterns that backtrack would stand still (S51)."""

from __future__ import annotations

import time
from collections.abc import Callable

SIZE = 100_000
PIECES = (
    *(" ", "\t", "a", "a ", "<", ">", '"', "'", "(", ")", "[", "@", "a@", "a.", ".", "-", "--\n", "=", "=?", "&", ";"),
    *(":", "/", "\\", "<a ", "<a b=", '<a b="', "<!--", "> ", ">\n", "\n", "\r\n", "http://", "www.", "re: ", "re:"),
    *("[x]", "1", "0x", "%", "{", "}", "a:b;", "url(", "/*", "a,", "é", "x=y;", "begin 644 a\n", "=ybegin line=1\n"),
    *('"a', "(a", "a<b", "<a@b> ", "a b: ", "\t\n ", "=?utf-8?q?=41?= ", "&amp;", "-----\nFrom: a\n", "On 1 a@b:\n"),
    *("<!--<b>", "<!--</a>", " </a>", "&#32;", "&nbsp;"),
)


def readers() -> dict[str, Callable[[str], object]]:
    """Functions that take a sender's text, by name."""
    from webmail.mime import addresses, dates, headers, identifiers, params, preview, threads, words
    from webmail.mime.structure import parse_bodystructure
    from webmail.protocols import imap_fetch
    from webmail.render import css, css_plain, linkify, links, plain, scan, text, text_parts, trackers, urls

    return {
        "addresses": addresses.parse_addresses,
        "dates": dates.parse_date,
        "header block": lambda value: headers.parse_header_block(value.encode()),
        "identifiers": identifiers.parse_ids,
        "identifier on the wire": lambda value: imap_fetch.message_ids(value.encode()),
        "parameters": params.parse_parameterised,
        "snippet": preview.snippet,
        "subject": threads.base_subject,
        "encoded words": words.decode_words,
        "structure": lambda value: parse_bodystructure(value.encode()),
        "style attribute": css.clean_declarations,
        "plain statements": css_plain.statements,
        "plain declarations": css_plain.declarations,
        "style element": css.clean_stylesheet,
        "links in text": lambda value: linkify.linkify(value, []),
        "named host": links.named_host,
        "text of HTML": plain.html_to_text,
        "look at HTML": scan.scan,
        "plain text": text.plain_to_html,
        "quotes": lambda value: text_parts.find_parts(value.splitlines(keepends=True)),
        "trackers": trackers.is_tracker,
        "targets": urls.clean_link,
    }


def worst() -> dict[str, tuple[float, str]]:
    """For each reader the CPU seconds of its worst text, and what that repeats."""
    found: dict[str, tuple[float, str]] = {}
    for name, read in readers().items():
        for piece in PIECES:
            for before in ("",) if piece.strip() else ("", "Message-ID: a"):  # blanks may cost more in the middle
                value = before + piece * (SIZE // len(piece)) + "!"
                begin = time.process_time()
                read(value)
                found[name] = max(found.get(name, (0.0, "")), (time.process_time() - begin, before + piece))
    return found


if __name__ == "__main__":
    for name, (seconds, piece) in worst().items():
        print(f"{name:16} {seconds * 1000:8.1f} ms  {piece!r}")
