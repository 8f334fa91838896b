from asgiref.sync import sync_to_async
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from .models import User

_PERSON = """
SELECT person.*, organisation.suspended_at IS NOT NULL AS suspended
  FROM accounts_user AS person JOIN accounts_organisation AS organisation ON organisation.id = person.organisation_id
 WHERE person.id = %s
"""


class PersonBackend(ModelBackend):
    """Signs in by address and password; nobody of a suspended organisation, and open sessions of theirs end at once."""

    def user_can_authenticate(self, user: "AbstractBaseUser | AnonymousUser | None") -> bool:
        if not (isinstance(user, User) and super().user_can_authenticate(user)):
            return False
        known: bool | None = getattr(user, "suspended", None)  # as `get_user` has read it
        return not known if known is not None else user.organisation.suspended_at is None

    async def aget_user(self, user_id: int) -> User | None:
        return await sync_to_async(self.get_user)(user_id)

    def get_user(self, user_id: int) -> User | None:
        """The signed-in person, in one plain read: every page begins with it."""
        for user in User.objects.raw(_PERSON, [user_id]):
            return user if self.user_can_authenticate(user) else None
        return None
