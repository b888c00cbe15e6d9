"""sessions_app: `manage.py ensure_admin`, the first admin from ADMIN_EMAIL and ADMIN_PASSWORD; safe to repeat."""

from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction

from sessions_app.models import User


class Command(BaseCommand):
    """Makes the admin where there is none with this address; an existing password is never changed."""

    help = "Make the admin named by ADMIN_EMAIL and ADMIN_PASSWORD, where those are set and it does not exist."

    def handle(self, *_: Any, **__: Any) -> None:
        email, password = settings.SEANCE.admin_email.strip().lower(), settings.SEANCE.admin_password
        if not email:
            return
        if self._exists(email):
            return
        try:
            validate_password(password, User(email=email, name="Admin"))
        except ValidationError as error:
            raise CommandError(f"ADMIN_PASSWORD: {' '.join(error.messages)}") from None
        try:
            with transaction.atomic():
                User.objects.create_superuser(email, password)
        except IntegrityError:  # another process was faster
            self._exists(email)
        else:
            self.stdout.write(f"Admin {email} made.")

    def _exists(self, email: str) -> bool:
        """Whether the admin is there. An ordinary account is not raised: anybody may have registered the address."""
        found = User.objects.filter(email=email).first()
        if found and not (found.is_superuser and found.is_active):
            raise CommandError("ADMIN_EMAIL: an account with this address exists that is no admin; choose another one.")
        return found is not None
