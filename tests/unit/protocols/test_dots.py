import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.protocols import dots
from webmail.protocols.dots import Unstuffer, stuffed_pieces

TRICKY = st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n.", b"\r\n.\r\n"]), max_size=30).map(
    b"".join
)


class Drip(io.BytesIO):
    """Gives a few bytes at a time, so that every boundary falls everywhere."""

    step = 1

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self.step)


def on_the_wire(content: bytes, step: int = 65536) -> bytes:
    source = Drip(content)
    source.step = step
    return b"".join(stuffed_pieces(source, len(content))) + b"\r\n.\r\n"


def received(wire: bytes) -> bytes:
    unstuffer = Unstuffer()
    got = unstuffer.feed(wire)
    assert unstuffer.rest == b""
    return got


def normal(content: bytes) -> bytes:
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return (lines if lines.endswith(b"\n") else lines + b"\n").replace(b"\n", b"\r\n")


@given(TRICKY, st.integers(1, 5))
def test_one_end_and_the_same_lines(content: bytes, step: int) -> None:
    wire = on_the_wire(content, step)
    assert wire.count(b"\r\n.\r\n") + wire.startswith(b".\r\n") == 1
    assert wire.replace(b"\r\n", b"").count(b"\r") == wire.replace(b"\r\n", b"").count(b"\n") == 0
    assert received(wire) == normal(content)


@pytest.mark.parametrize("content", [b"a\n.\nb", b"a\r.\rb", b"a\r\n.\nb", b"a\n.\r\nb", b".\r\nb", b"..\n.", b"\r.\r"])
def test_smuggled_ends_are_stuffed(content: bytes) -> None:
    assert received(on_the_wire(content)) == normal(content)


@given(TRICKY, st.integers(1, 7))
def test_unstuffing_does_not_depend_on_the_pieces(content: bytes, step: int) -> None:
    wire = on_the_wire(content) + b"+OK next"
    unstuffer, got = Unstuffer(), b""
    for start in range(0, len(wire), step):
        got += unstuffer.feed(wire[start : start + step])
        if unstuffer.rest is not None:
            break
    assert got == normal(content)
    assert unstuffer.rest is not None
    assert b"+OK next".startswith(unstuffer.rest)


def test_a_dot_inside_a_line_stays() -> None:
    assert received(b"a.b\r\n.c\r\n..d\r\n.\r\n") == b"a.b\r\n.c\r\n.d\r\n"


@pytest.mark.parametrize("size", [4, 6])
def test_the_stated_size_must_be_right(size: int) -> None:
    with pytest.raises(ValueError, match="stated size"):
        list(stuffed_pieces(io.BytesIO(b"12345"), size))


def test_pieces_are_bounded() -> None:
    content = b"\r\n." * dots.CHUNK
    assert max(len(piece) for piece in stuffed_pieces(io.BytesIO(content), len(content))) <= 4 * dots.CHUNK
