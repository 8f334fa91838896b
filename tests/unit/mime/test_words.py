import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webmail.mime.encode import encoded_words
from webmail.mime.words import decode_words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("=?utf-8?Q?caf=C3=A9?=", "café"),
        ("=?UTF-8?b?Y2Fmw6k?=", "café"),
        ("=?utf-8?B?Y2Fmw6", "=?utf-8?B?Y2Fmw6"),
        ("=?utf-8?B?Y2Fmw?=", "caf"),
        ("=?utf-8?Q?caf=C3?= =?utf-8?Q?=A9?=", "café"),
        ("=?utf-8?B?Y2Fmw?= =?utf-8?B?6k=?=", "café"),
        ("=?utf-8?Q?a b c?=", "a b c"),
        ("=?utf-8?Q?what??=", "what?"),
        ("x=?utf-8?Q?=C3=A9?=y", "xéy"),
        ("=?utf-8?Q?a?==?utf-8?Q?b?=", "ab"),
        ("=?utf-8?Q?a?= and =?utf-8?Q?b?=", "a and b"),
        ("=?iso-8859-1?Q?=E9?= =?utf-8?Q?=C3=A9?=", "éé"),
        ("=?utf-8*de?Q?=C3=A9?=", "é"),
        ("=?no-such?Q?=C3=A9?=", "é"),
        ("=?us-ascii?Q?=C3=A9?=", "é"),
        ("=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        ("=?utf-8?Q??=", ""),
        ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
    ],
)
def test_words_in_the_wild(value: str, text: str) -> None:
    assert decode_words(value) == text


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200))
def test_what_we_encode_is_read_back(text: str) -> None:
    words = encoded_words(text)
    assert all(len(word) <= 75 for word in words)
    assert decode_words(" ".join(words)) == text.replace("\0", "\1").removeprefix("\ufeff")


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200))
@example("会議のお知らせ " * 12)
def test_no_word_but_the_last_ends_in_padding(text: str) -> None:
    """GMime joins adjacent words before it decodes them, and stops at the first padding."""
    assert not [word for word in encoded_words(text)[:-1] if word.endswith("=?=") and "?b?" in word]


@given(st.text(alphabet="=?qbQB utf-8AZ_", max_size=80))
def test_any_text_is_taken(value: str) -> None:
    assert isinstance(decode_words(value), str)
