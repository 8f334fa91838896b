from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from .organisation import Organisation


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        fields.setdefault("organisation", Organisation.objects.get_or_create(name="Mailroom")[0])
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in. Preferences live here: every page needs them, and one read must be enough."""

    class Theme(models.TextChoices):
        SYSTEM = "system", _("System")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="users")
    email = models.EmailField(_("address to sign in with"), max_length=254, unique=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    is_active = models.BooleanField(_("may sign in"), default=True)
    is_staff = models.BooleanField(_("administrator"), default=False)
    must_change_password = models.BooleanField(_("must choose a new password"), default=False)
    date_joined = models.DateTimeField(auto_now_add=True)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)

    theme = models.CharField(_("appearance"), max_length=10, choices=Theme.choices, default=Theme.SYSTEM)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    language = models.CharField(_("language"), max_length=10, default="en")
    undo_send_seconds = models.PositiveSmallIntegerField(_("undo send, seconds"), default=10)
    hide_remote_images = models.BooleanField(_("hide remote images"), default=True)
    conversations = models.BooleanField(_("group messages into conversations"), default=True)
    labels = ArrayField(models.CharField(max_length=100), default=list, editable=False)  # own keywords, to choose from
    label_hues = models.JSONField(default=dict, editable=False)  # keyword in lower case to the colour chosen for it

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once")]
        ordering = ["email"]
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.email
