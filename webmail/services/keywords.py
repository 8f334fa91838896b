"""Labels a person sets and removes: keywords of messages. Where folders are labels (Gmail) there are none of these."""

from collections.abc import Collection, Iterable

from django.db import connection, transaction

from accounts.models import User
from webmail.mime.keywords import WELL_KNOWN
from webmail.models import Action, Mailbox, MailboxThread, Placement, RemoteOp

from . import actions, ops
from .ops import Spot

MOST_OWN = 200  # labels of their own that a person is offered
Words = tuple[str, ...]

_CHANGE = """
UPDATE webmail_placement SET
    keywords = %(shown)s,
    server_keywords = CASE WHEN %(owed)s THEN server_keywords ELSE %(shown)s::varchar(100)[] END,
    pending_keywords = CASE WHEN %(owed)s THEN ARRAY(
        SELECT unnest(pending_keywords) UNION SELECT unnest(%(changed)s::varchar(100)[]) ORDER BY 1
    ) ELSE pending_keywords END
WHERE id = ANY(%(placements)s)
"""
_REMEMBER = """
UPDATE accounts_user SET labels = ARRAY(
    SELECT DISTINCT ON (lower(word)) word FROM unnest(labels || %s::varchar(100)[]) WITH ORDINALITY AS own(word, place)
    ORDER BY lower(word), place LIMIT %s)
WHERE id = %s
"""


@transaction.atomic
def change(
    user: User, kind: str, spots: list[Spot], *, add: Collection[str] = (), remove: Collection[str] = ()
) -> Action:
    """Adds and removes keywords; messages that already look that way are left alone, as are Gmail's."""
    groups = _differing(_with_keywords(spots), add, remove)
    inverse = [
        {"do": "keywords", "placements": [spot.placement for spot in members], "add": going, "remove": coming}
        for (coming, going, _), members in groups.items()
    ]
    changed = [spot for members in groups.values() for spot in members]
    action = Action.objects.create(user=user, kind=kind, count=len(changed), inverse=inverse)
    remote = ops.remote_accounts({spot.account for spot in changed})
    told: dict[tuple[Words, Words], list[Spot]] = {}
    for (coming, going, shown), members in groups.items():
        for owed in (True, False):
            ids = [spot.placement for spot in members if (spot.account in remote) == owed]
            if ids:
                _write(ids, shown=shown, changed=(*coming, *going), owed=owed)
        told.setdefault((coming, going), []).extend(members)
    for (coming, going), members in told.items():
        ops.record(action, RemoteOp.Kind.KEYWORDS, members, words={"add": list(coming), "remove": list(going)})
    actions.refresh(user, changed, marks_only=True)
    if changed:
        _remember(user, add)
        _forget_unused(user, remove)
    return action


def _write(placements: list[int], *, shown: Words, changed: Words, owed: bool) -> None:
    words = [word.lower() for word in changed]
    with connection.cursor() as cursor:
        cursor.execute(_CHANGE, {"shown": list(shown), "owed": owed, "changed": words, "placements": placements})


def _with_keywords(spots: list[Spot]) -> list[Spot]:
    accounts = {spot.account for spot in spots}
    labelled = Mailbox.objects.filter(account__in=accounts, labelled=True).exclude(phase=Mailbox.Phase.GONE)
    without = set(labelled.values_list("account_id", flat=True))
    return [spot for spot in spots if spot.account not in without]


def _differing(
    spots: list[Spot], add: Iterable[str], remove: Iterable[str]
) -> dict[tuple[Words, Words, Words], list[Spot]]:
    """Spots that change, by the keywords that come, those that go as they are spelled there, and all there then are."""
    rows = Placement.objects.filter(pk__in=[spot.placement for spot in spots])
    present = {pk: {word.lower(): word for word in words} for pk, words in rows.values_list("pk", "keywords")}
    wanted, unwanted = {word.lower(): word for word in add}, {word.lower() for word in remove}
    groups: dict[tuple[Words, Words, Words], list[Spot]] = {}
    for spot in spots:
        has = present.get(spot.placement, {})
        coming = tuple(sorted(word for key, word in wanted.items() if key not in has))
        going = tuple(sorted(word for key, word in has.items() if key in unwanted))
        if coming or going:
            shown = tuple(sorted({*has.values(), *coming} - set(going)))
            groups.setdefault((coming, going, shown), []).append(spot)
    return groups


def _remember(user: User, keywords: Iterable[str]) -> None:
    """Labels of one's own are offered again."""
    own = [word for word in keywords if word.lower() not in WELL_KNOWN]
    if own:
        with connection.cursor() as cursor:
            cursor.execute(_REMEMBER, [own, MOST_OWN, user.pk])


def _forget_unused(user: User, keywords: Iterable[str]) -> None:
    """One that no conversation carries any more is not offered again."""
    for word in keywords:
        lines = MailboxThread.objects.filter(account__user=user).exclude(keywords=[])
        if word.lower() not in WELL_KNOWN and not lines.filter(keywords__contains=[word]).exists():
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE accounts_user SET labels = array_remove(labels, %s) WHERE id = %s", [word, user.pk]
                )
