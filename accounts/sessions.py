"""Sessions in Postgres, as Django keeps them; losing Redis signs nobody out."""

from typing import Any

from django.contrib.sessions.backends import db
from django.db import connection
from django.utils import timezone

_LOAD = "SELECT session_data FROM django_session WHERE session_key = %s AND expire_date > %s"


class SessionStore(db.SessionStore):
    """Read by a plain statement: each page needs its session, and building the query took longer than running it."""

    def load(self) -> dict[str, Any]:
        with connection.cursor() as cursor:
            cursor.execute(_LOAD, [self.session_key, timezone.now()])
            row = cursor.fetchone()
        if row is None:
            self._session_key = None  # it ended, or never was: a key that somebody made up is not taken over
            return {}
        return self.decode(row[0])
