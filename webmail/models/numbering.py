"""Placements put back to where they lay, though the server may have numbered the mailbox anew since. Call inside a
transaction, with the placements locked.
"""

from collections.abc import Mapping

from django.db import connection

from .mailbox import Mailbox

Before = tuple[int, int | None]  # generation and UID of a placement before it was moved

# rows that a look at the mailbox made for the same messages meanwhile
_TWINS = "DELETE FROM webmail_placement WHERE mailbox_id = %s AND gen = %s AND uid = ANY(%s) AND id <> ALL(%s)"
_PUT = """
UPDATE webmail_placement p SET mailbox_id = %s, gen = %s, uid = back.uid, state = 0, gone_at = NULL
FROM unnest(%s::bigint[], %s::bigint[]) AS back(id, uid) WHERE p.id = back.id
"""


def put_back(mailbox_id: int, before: Mapping[int, Before]) -> dict[int, Before]:
    """Placements live in the mailbox again; returns their generations and UIDs there now.

    A UID of an earlier numbering means nothing any more: the placement waits for one, and the next look at the mailbox
    binds it, or hides it when the server no longer has it. That look is made whatever STATUS says, since what became of
    the messages in between was not for the rows to show.
    """
    if not before:
        return {}
    gen = Mailbox.objects.values_list("gen", flat=True).get(pk=mailbox_id)
    now: dict[int, Before] = {pk: (gen, uid if old == gen else None) for pk, (old, uid) in before.items()}
    pairs = sorted((pk, uid) for pk, (_, uid) in now.items())
    with connection.cursor() as cursor:
        cursor.execute(_TWINS, [mailbox_id, gen, [uid for _, uid in pairs if uid is not None], list(now)])
        cursor.execute(_PUT, [mailbox_id, gen, *map(list, zip(*pairs, strict=True))])
    Mailbox.objects.filter(pk=mailbox_id).update(server_unseen=None)
    return now
