import errno
import imaplib
import pickle
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imapclient.exceptions import LoginError, ProtocolError

from webmail.protocols.errors import (
    AuthenticationFailed,
    CommandFailed,
    ConnectionLost,
    HostNotAllowed,
    MailServerError,
    ProtocolViolation,
    Throttled,
    TlsFailed,
    TooManyConnections,
    Unreachable,
    classify,
    classify_reply,
)


@given(st.one_of(st.text(max_size=2000), st.binary(max_size=2000)))
def test_server_line_is_one_printable_line(line: str | bytes) -> None:
    shown = MailServerError(line).server_line
    assert len(shown) <= 500
    assert shown == "" or shown.isprintable()


def test_server_line_loses_direction_marks_and_line_ends() -> None:
    assert MailServerError("NO\r\nX1 DELETE \u202eINBOX\0").server_line == "NO X1 DELETE INBOX"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AuthenticationFailed, "auth"),
        (Unreachable, "unreachable"),
        (TlsFailed, "tls"),
        (HostNotAllowed, "host-not-allowed"),
        (Throttled, "throttled"),
        (TooManyConnections, "throttled"),
        (ConnectionLost, "lost"),
        (CommandFailed, "refused"),
        (ProtocolViolation, "protocol"),
    ],
)
def test_every_class_has_its_word(error: type[MailServerError], code: str) -> None:
    assert (error("x").code, error("x").kind) == (code, code)


@pytest.mark.parametrize(
    ("line", "kind", "response_code"),
    [
        (b"[AUTHENTICATIONFAILED] Authentication failed.", AuthenticationFailed, "AUTHENTICATIONFAILED"),
        (b"[IN-USE] Do you have another POP session running?", Throttled, "IN-USE"),
        (b"[SYS/TEMP] try later", Throttled, "SYS/TEMP"),
        (b"[SYS/PERM] no such maildrop", CommandFailed, "SYS/PERM"),
        (b"[OVERQUOTA] Quota exceeded (mailbox for user is full)", CommandFailed, "OVERQUOTA"),
        (b"[OVERQUOTA] Account exceeded command or bandwidth limits.", Throttled, "OVERQUOTA"),
        (b"[ALERT] Too many simultaneous connections. (Failure)", TooManyConnections, "ALERT"),
        (
            b"Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
            TooManyConnections,
            "",
        ),
        (b"Unknown Mailbox: [Gmail]/Sent", CommandFailed, ""),
        ("SELECT failed: [NONEXISTENT] Mailbox doesn't exist", CommandFailed, "NONEXISTENT"),
        (b"", CommandFailed, ""),
    ],
)
def test_refusals_by_their_words(line: str | bytes, kind: type[MailServerError], response_code: str) -> None:
    error = classify_reply(line)
    assert (type(error), error.response_code) == (kind, response_code)


def test_the_time_a_server_names_is_kept() -> None:
    error = classify_reply("Request is throttled. Suggested Backoff Time: 299910 milliseconds")
    assert isinstance(error, Throttled)
    assert error.retry_after == pytest.approx(299.91)


def test_a_time_beyond_reason_is_one_day() -> None:
    assert classify_reply("Suggested Backoff Time: 999999999").retry_after == 24 * 3600


def test_a_refused_login_without_code_means_the_credential() -> None:
    assert isinstance(classify_reply("Invalid credentials", login=True), AuthenticationFailed)
    assert isinstance(classify_reply("[UNAVAILABLE] Temporary failure", login=True), Throttled)
    assert isinstance(classify_reply("Invalid credentials"), CommandFailed)


def test_command_failed_carries_the_servers_code() -> None:
    error = classify_reply("[NONEXISTENT] no such mailbox")
    assert isinstance(error, CommandFailed)
    assert (error.code, error.kind, error.permanent) == ("NONEXISTENT", "refused", True)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (TimeoutError("timed out"), ConnectionLost),
        (ConnectionResetError(), ConnectionLost),
        (BrokenPipeError(), ConnectionLost),
        (EOFError(), ConnectionLost),
        (OSError("cannot read from timed out object"), ConnectionLost),
        (ConnectionRefusedError(), Unreachable),
        (socket.gaierror(-2, "Name or service not known"), Unreachable),
        (OSError(errno.ENETUNREACH, "x"), Unreachable),
        (ssl.SSLEOFError(8, "EOF"), ConnectionLost),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), TlsFailed),
        (imaplib.IMAP4.abort("socket error: EOF"), ConnectionLost),
        (imaplib.IMAP4.abort("command: SELECT => Too many connections"), TooManyConnections),
        (imaplib.IMAP4.readonly("mailbox"), CommandFailed),
        (LoginError("Invalid credentials"), AuthenticationFailed),
        (LoginError("[UNAVAILABLE] later"), Throttled),
        (imaplib.IMAP4.error("SELECT failed: [NONEXISTENT] x"), CommandFailed),
        (MemoryError(), ProtocolViolation),
        (TypeError("x"), ProtocolViolation),
        (RecursionError(), ProtocolViolation),
    ],
)
def test_classify(raised: BaseException, kind: type[MailServerError]) -> None:
    assert type(classify(raised)) is kind


def test_classify_keeps_ours_as_it_is() -> None:
    error = Throttled("later", retry_after=5)
    assert classify(error) is error


@pytest.mark.parametrize(
    "raised",
    [
        UnicodeEncodeError("ascii", '"hünter2"', 1, 2, "ordinal not in range(128)"),
        ValueError("hünter2"),
        ProtocolError("got bad data: b'hünter2'"),
    ],
)
def test_text_that_may_quote_a_secret_is_not_repeated(raised: BaseException) -> None:
    error = classify(raised)
    assert "nter2" not in f"{error}{error!r}{error.args}{error.server_line}"


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(CommandFailed("full", code="OVERQUOTA", permanent=True)))
    assert (error.code, error.permanent, error.server_line) == ("OVERQUOTA", True, "full")
