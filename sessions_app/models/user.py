"""sessions_app, nouns: people. Guest and account are one kind of row, so that an upgrade keeps a guest's history."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Length
from django.utils import timezone
from uuid_utils.compat import uuid7

from sessions_app.text import USER_NAME_MAX

models.CharField.register_lookup(Length)


class UserManager(BaseUserManager["User"]):
    """Makes accounts; guests are made by `services.accounts`."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """An account; without a password it cannot log in."""
        user = self.model(email=email.strip().lower(), is_guest=False, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """An admin, for `manage.py createsuperuser`."""
        return self.create_user(email, password, **{"name": "Admin", **fields, "is_staff": True, "is_superuser": True})

    def get_by_natural_key(self, username: str | None) -> "User":
        """E-mail addresses are stored in lower case."""
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person: a guest (no e-mail address, no password) or an account."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=USER_NAME_MAX)
    email = models.EmailField(max_length=254, unique=True, null=True, blank=True)  # noqa: DJ001  unique needs NULL
    is_guest = models.BooleanField(default=False)
    joined_at = models.DateTimeField(default=timezone.now, editable=False)
    is_active = models.BooleanField(default=True, help_text="Whether this person may come in. Unset it to ban.")
    is_staff = models.BooleanField(default=False, help_text="Whether this person may use the admin.")
    token_version = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Access tokens of another version are refused."
    )

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        db_table = "users"
        indexes: ClassVar = [models.Index(fields=["name"], name="users_name")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(name__length__gte=1, name__length__lte=USER_NAME_MAX), name="users_name_length"
            ),
            models.CheckConstraint(
                condition=models.Q(is_guest=True, email__isnull=True) | models.Q(is_guest=False, email__isnull=False),
                name="users_guest_or_account",
            ),
            models.CheckConstraint(
                condition=models.Q(is_guest=False) | models.Q(is_staff=False, is_superuser=False),
                name="users_guest_is_no_staff",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({'guest' if self.is_guest else self.email})"
