"""Address books of any size, made in one statement."""

from django.db import connection

from accounts.models import User
from webmail.models import ContactGroup

_MANY = """
WITH made AS (
    INSERT INTO webmail_contact (user_id, uid, name, organisation, role, mails, numbers, addresses, notes, sort, search,
                                 merged, changed_at)
    SELECT %(user)s, 'u' || n, 'Person ' || n, 'Quay', '', ARRAY['p' || n || '@quay.example'], '{}', '{}', '',
           'person ' || n, 'person ' || n || ' quay p' || n || '@quay.example p' || n || ' quay example', '{}', now()
      FROM generate_series(1, %(many)s) AS n RETURNING id)
INSERT INTO webmail_contact_groups (contact_id, contactgroup_id) SELECT id, %(group)s FROM made
"""


def fill(user: User, group: ContactGroup, many: int) -> None:
    """So many people in the person's address book, all of them in the group."""
    with connection.cursor() as cursor:
        cursor.execute(_MANY, {"user": user.pk, "group": group.pk, "many": many})
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; ANALYZE webmail_contact; ANALYZE webmail_contact_groups")
