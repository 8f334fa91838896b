"""What a batch of headers is turned into before COPY: documents, arrays, and how its statements are planned."""

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.app.conftest import Somebody
from webmail.models.search_document import document, header_document
from webmail.sync.lease import guarded, release, take
from webmail.sync.sql import array, ask

_WORDS = st.text(alphabet="abAB éß日本ø'\\\"-.1", max_size=30)
_ADDRESS = st.sampled_from(["", "ada@pier4.example", "grace@pier4.example", "ada.l@mail.example"])
_PEOPLE = st.dictionaries(
    st.sampled_from(["from", "sender", "reply_to", "to", "cc", "bcc"]),
    st.lists(st.tuples(_WORDS, _ADDRESS), max_size=40).map(tuple),
    max_size=6,
)


@pytest.mark.django_db
@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab cdé日本\\' ", max_size=700), _PEOPLE)
def test_a_header_document_is_the_document_without_a_body(
    subject: str, people: dict[str, tuple[tuple[str, str], ...]]
) -> None:
    quick, whole = header_document(7, subject, people), document(7, subject, people, ())
    same, words = ask("SELECT %s::tsvector = %s::tsvector, length(%s::tsvector)", [quick, whole, quick])[0]
    assert same
    assert words >= 1


@pytest.mark.django_db
@given(st.lists(st.text(alphabet='a,"\\{} \nNUL', max_size=12), max_size=6))
def test_arrays_mean_what_they_hold(texts: list[str]) -> None:
    assert ask("SELECT %s::text[]", [array(texts)])[0][0] == texts


@pytest.mark.django_db(transaction=True)
def test_a_batch_is_planned_by_index_and_nothing_after_it(alice: Somebody) -> None:
    lease = take(alice.account.pk)
    assert lease is not None
    with guarded(lease):
        assert _seqscan() == "off"
    release(lease)
    assert not connection.in_atomic_block
    assert _seqscan() == "on"


def _seqscan() -> str:
    return str(ask("SHOW enable_seqscan", [])[0][0])
