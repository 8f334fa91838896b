"""Whom a person wrote to before Mailroom knew them, from a folder of sent mail that has come down whole.

Invariants: runs once for a folder, in the transaction that says so; who is known already stays as counted; bounded,
however much was sent.
"""

from webmail.models import Correspondent, Mailbox
from webmail.models.placement import Placement
from webmail.search import normalise
from webmail.sync.sql import ask

NEWEST = 5_000  # sent messages that are looked at
MOST = 2_000  # people

_PEOPLE = """
SELECT lower(person ->> 1), (array_agg(person ->> 0 ORDER BY sent.received_at DESC))[1], count(*), max(sent.received_at)
  FROM (SELECT m.people, p.received_at
          FROM webmail_placement AS p JOIN webmail_message AS m ON m.id = p.message_id
         WHERE p.mailbox_id = %s AND p.state = %s ORDER BY p.received_at DESC LIMIT %s) AS sent,
       jsonb_array_elements(coalesce(sent.people -> 'to', '[]') || coalesce(sent.people -> 'cc', '[]')) AS person
 WHERE person ->> 1 LIKE '%%_@_%%' AND length(person ->> 1) <= 320
 GROUP BY 1 ORDER BY count(*) DESC, max(sent.received_at) DESC LIMIT %s
"""


def learn(box: Mailbox) -> None:
    """Makes correspondents of the people that messages in Sent went to; where Sent is a label, All Mail brings it."""
    sent = Mailbox.objects.filter(account=box.account_id, role=Mailbox.Role.SENT).select_related("account").first()
    if sent is None or not (box.labelled if sent.label else sent.pk == box.pk):
        return
    rows = ask(_PEOPLE, [sent.pk, int(Placement.State.LIVE), NEWEST, MOST])
    Correspondent.objects.bulk_create(
        [
            Correspondent(
                user_id=sent.account.user_id,
                address=address,
                name=name[:200],
                search=normalise(f"{name} {address}")[:520],
                times=times,
                last_at=last_at,
            )
            for address, name, times, last_at in rows
        ],
        ignore_conflicts=True,
    )
