"""Pure pieces of the sync: verdicts, rows, decoding, reading ahead, pacing."""

from __future__ import annotations

import base64
import binascii
import quopri
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.failures import judge
from webmail.mime.transfer import decode_transfer
from webmail.protocols.errors import (
    AuthenticationFailed,
    ConnectionLost,
    MailServerError,
    ProtocolViolation,
    Throttled,
    TlsFailed,
    TooManyConnections,
    Unreachable,
)
from webmail.protocols.values import HeaderRow
from webmail.sync import rows
from webmail.sync.ahead import ahead
from webmail.sync.decoding import Decoder
from webmail.watch.pacing import Pacing, wait_after

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "failures", "refused", "state", "code", "seconds"),
    [
        (AuthenticationFailed("no"), 0, 0, "failing", "auth", 900),
        (AuthenticationFailed("no"), 2, 2, "refused", "auth", 86_400),
        (Unreachable(), 0, 0, "unreachable", "unreachable", 4),
        (Unreachable(), 25, 0, "unreachable", "unreachable", 300),
        (ConnectionLost(), 1, 0, "unreachable", "lost", 6),
        (Throttled(retry_after=299.91), 0, 0, "throttled", "throttled", 299.91),
        (Throttled(), 0, 0, "throttled", "throttled", 300),
        (TooManyConnections(), 0, 0, "throttled", "connections", 30),
        (TlsFailed(), 0, 0, "failing", "tls", 3600),
        (ProtocolViolation(), 0, 0, "failing", "protocol", 60),
        (ZeroDivisionError("somebody's mail"), 3, 0, "failing", "internal", 480),
    ],
)
def test_a_failure_becomes_a_state_and_a_time(
    error: Exception, failures: int, refused: int, state: str, code: str, seconds: float
) -> None:
    found = judge(error, failures=failures, refused_logins=refused, jitter=lambda: 0.5)
    assert (found.state, found.code, found.after.total_seconds()) == (state, code, seconds)
    assert found.server_line == (error.server_line if isinstance(error, MailServerError) else "")


def header_row(header: bytes, **values: object) -> HeaderRow:
    defaults: dict[str, object] = {
        "uid": 1,
        "flags": frozenset({"\\Seen", "$Work"}),
        "internaldate": NOW,
        "size": 100,
        "bodystructure": b"",
    }
    return HeaderRow(header=header, **(defaults | values))  # type: ignore[arg-type]  # a mixed bag of fields


def test_equal_headers_and_sizes_are_one_message() -> None:
    first = rows.incoming(1, header_row(b"Subject: a\r\n\r\n"), now=NOW)
    same = rows.incoming(1, header_row(b"Subject: a\r\n\r\n", uid=9), now=NOW)
    longer = rows.incoming(1, header_row(b"Subject: a\r\n\r\n", size=101), now=NOW)
    assert first.fingerprint == same.fingerprint != longer.fingerprint
    assert (first.flags, first.keywords) == (1, ("$Work",))


@pytest.mark.parametrize(
    ("internaldate", "header", "received"),
    [
        (NOW, b"", NOW),
        (None, b"Date: Mon, 1 Jan 2024 10:00:00 +0000\r\n", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        (None, b"", NOW),
        (datetime(1, 1, 1, tzinfo=UTC), b"Date: Mon, 1 Jan 9999 10:00:00 +0000\r\n", NOW),
    ],
)
def test_every_message_has_a_date_to_sort_by(internaldate: datetime | None, header: bytes, received: datetime) -> None:
    row = rows.incoming(1, header_row(header + b"\r\n", internaldate=internaldate), now=NOW)
    assert row.received_at == received


@pytest.mark.parametrize(
    ("header", "bare"),
    [
        (b"Subject: Re: x\r\n", True),
        (b"Subject: AW: Re[2]: x\r\n", True),
        (b"Subject: Re: x\r\nIn-Reply-To: <a@b>\r\n", False),
        (b"Subject: Reply\r\n", False),
    ],
)
def test_only_a_reply_without_references_is_judged_by_its_subject(header: bytes, bare: bool) -> None:
    assert rows.incoming(1, header_row(header + b"\r\n"), now=NOW).bare_reply is bare


@given(st.binary(max_size=400))
def test_no_header_block_breaks_a_row(header: bytes) -> None:
    row = rows.incoming(1, header_row(header), now=NOW)
    assert "\0" not in row.people + row.extra + row.document + row.subject


@given(st.binary(max_size=3000), st.integers(1, 70), st.sampled_from(["base64", "quoted-printable", "8bit"]))
def test_decoding_in_pieces_gives_the_content(data: bytes, step: int, encoding: str) -> None:
    encoded = {
        "base64": base64.encodebytes(data).replace(b"\n", b"\r\n"),
        "quoted-printable": quopri.encodestring(data, quotetabs=True),
        "8bit": data,
    }[encoding]
    out = bytearray()
    decoder = Decoder(encoding, out.extend)
    for start in range(0, len(encoded), step):
        decoder.write(encoded[start : start + step])
    decoder.finish()
    assert out.replace(b"\r\n", b"\n") == data.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("step", [61, 1000, 10**9])
def test_files_by_lines_pass_in_constant_memory_too(step: int) -> None:
    """uuencode and yEnc as Content-Transfer-Encoding: nothing is held back but a line."""
    data = bytes(range(256)) * 40
    lines = (binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    uu = b"begin 644 a.bin\r\n" + b"".join(line.replace(b"\n", b"\r\n") for line in lines) + b"`\r\nend\r\nafter\r\n"
    letters = b"".join(
        bytes([61, (n + 106) & 255]) if (n + 42) & 255 in b"\0\r\n=" else bytes([(n + 42) & 255]) for n in data
    )
    pieces = [letters[at : at + 128] for at in range(0, len(letters), 128)]
    wrapped = b"\r\n".join(pieces).replace(b"=\r\n", b"\r\n=")
    yenc = b"=ybegin line=128 size=10240 name=a.bin\r\n" + wrapped + b"\r\n=yend size=10240\r\n"
    for encoding, encoded in (("x-uuencode", uu), ("x-yenc", yenc)):
        out = bytearray()
        decoder = Decoder(encoding, out.extend)
        held = 0
        for start in range(0, len(encoded), step):
            decoder.write(encoded[start : start + step])
            held = max(held, len(decoder._held))
        decoder.finish()
        assert out == decode_transfer(encoded, encoding) == data
        assert held < 300


def test_reading_ahead_keeps_order_and_errors() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise KeyError("at the end")

    reading = ahead(items())
    assert [next(reading) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(KeyError):
        next(reading)


def test_stopping_early_ends_the_reader() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 1

    reading = ahead(endless())
    next(reading)
    reading.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


def test_logins_are_paced_over_all_and_per_host() -> None:
    pacing = Pacing()
    for account in range(100):
        pacing.add(account, f"host{account}", at=0.0)
    assert len(pacing.ready(100.0)) <= 21
    same = Pacing()
    for account in range(5):
        same.add(account, "one", at=0.0)
    assert [same.ready(now) for now in (10.0, 10.5, 11.0)] == [[0], [], [1]]


def test_f23_a_restart_logs_thousands_in_at_a_steady_pace() -> None:
    """Five thousand on fifty hosts: never more than twenty in a second, nor one host twice in it; nobody is left."""
    pacing, hosts = Pacing(), 50
    for account in range(5000):
        pacing.add(account, f"host{account % hosts}", at=0.0)
    done: dict[int, float] = {}
    tick = 0
    while len(done) < 5000:
        now = tick / 4
        for account in pacing.ready(now):
            assert account not in done
            done[account] = now
        tick += 1
    assert 5000 / 20 - 2 <= now <= 5000 / 20 + 30
    seconds = Counter(int(at) for at in done.values())
    assert max(seconds.values()) <= 21
    by_host: dict[int, list[float]] = {}
    for account, at in done.items():
        by_host.setdefault(account % hosts, []).append(at)
    assert all(later - at >= 1.0 for times in by_host.values() for at, later in pairwise(sorted(times)))


def test_patience_grows_and_honours_the_server() -> None:
    assert [wait_after(n) for n in (0, 1, 20)] == [5.0, 10.0, 900.0]
    assert wait_after(0, throttled=1200.0) == 1200.0
