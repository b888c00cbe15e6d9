"""sessions_app: `manage.py ensure_admin`, the first admin from ADMIN_EMAIL and ADMIN_PASSWORD; safe to repeat."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from sessions_app.management.base import Refused, SeanceCommand
from sessions_app.models import User


class Command(SeanceCommand):
    """Makes the admin where there is none with this address; an existing password is never changed."""

    help = "Make the admin named by ADMIN_EMAIL and ADMIN_PASSWORD, where those are set and it does not exist."

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.add_json(parser)

    def handle(self, *_: Any, as_json: bool, **__: Any) -> None:
        email = settings.SEANCE.admin_email.strip().lower()
        made = bool(email) and not self._exists(email) and self._make(email, settings.SEANCE.admin_password)
        if as_json:
            self.show_json({"email": email or None, "made": made})
        elif made:
            self.stdout.write(f"Admin {email} made.")

    def _make(self, email: str, password: str) -> bool:
        """Make the admin; returns whether it was us."""
        try:
            validate_password(password, User(email=email, name="Admin"))
        except ValidationError as error:
            raise Refused(f"ADMIN_PASSWORD: {' '.join(error.messages)}") from None
        try:
            with transaction.atomic():
                User.objects.create_superuser(email, password)
        except IntegrityError:  # another process was faster
            self._exists(email)
            return False
        return True

    def _exists(self, email: str) -> bool:
        """Whether the admin is there. An ordinary account is not raised: anybody may have registered the address."""
        found = User.objects.filter(email=email).first()
        if found and not (found.is_superuser and found.is_active):
            raise Refused("ADMIN_EMAIL: an account with this address exists that is no admin; choose another one.")
        return found is not None
