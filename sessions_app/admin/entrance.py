"""sessions_app, the admins' room: its door, which counts as the API's does: whoever guesses is kept out, and another
password ends what the old one opened."""

import math
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm, AdminPasswordChangeForm
from django.core.exceptions import ValidationError
from django.db import transaction

from sessions_app import limits
from sessions_app.addresses import client_address
from sessions_app.admin_site import may_come_in
from sessions_app.errors import SeanceError
from sessions_app.models import User
from sessions_app.services.bans import sign_out


def _too_many(refused: SeanceError) -> ValidationError:
    seconds = math.ceil((refused.retry_after_ms or 1000) / 1000)
    return ValidationError(f"Too many attempts. Try again in {seconds} seconds.", code="rate_limited")


class LoginForm(AdminAuthenticationForm):
    """Django's own, counted before a password is looked at: for the caller's address, and for the account's."""

    def confirm_login_allowed(self, user: Any) -> None:
        """Raises `ValidationError` for whoever may not come in."""
        super(AdminAuthenticationForm, self).confirm_login_allowed(user)
        if not may_come_in(user):
            raise self.get_invalid_login_error()

    def clean(self) -> dict[str, Any]:
        """Raises `ValidationError`, always alike."""
        assert self.request is not None  # noqa: S101  the login view gives it
        meta = self.request.META
        address = client_address(meta.get("REMOTE_ADDR"), meta.get("HTTP_X_FORWARDED_FOR", ""))
        account = str(self.cleaned_data.get("username", "")).strip().lower()
        try:
            limits.hit_all(("logins", address), ("account-logins", account))
        except SeanceError as refused:
            raise _too_many(refused) from None
        cleaned = super().clean()
        limits.forget("account-logins", account)
        return cleaned


class PasswordForm(AdminPasswordChangeForm):
    """One's own password: the old one is guessed at no faster than at the door, and its tokens and sockets end."""

    user: User

    def clean_old_password(self) -> str:
        """Raises `ValidationError`."""
        try:
            limits.hit("account-logins", self.user.email or "")
        except SeanceError as refused:
            raise _too_many(refused) from None
        return super().clean_old_password()

    def save(self, commit: bool = True) -> User:
        with transaction.atomic():
            super().save(commit)
            sign_out(actor=self.user, user=self.user)
        return self.user
