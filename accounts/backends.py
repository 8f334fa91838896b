from asgiref.sync import sync_to_async
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from .models import User


class PersonBackend(ModelBackend):
    """Signs in by address and password; nobody of a suspended organisation, and open sessions of theirs end at once."""

    def user_can_authenticate(self, user: "AbstractBaseUser | AnonymousUser | None") -> bool:
        return isinstance(user, User) and super().user_can_authenticate(user) and user.organisation.suspended_at is None

    async def aget_user(self, user_id: int) -> User | None:
        return await sync_to_async(self.get_user)(user_id)

    def get_user(self, user_id: int) -> User | None:
        """The signed-in person with their organisation, in one read."""
        user = User.objects.select_related("organisation").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None
