"""sessions_app, the admins' room: its door, which counts as the API's does: whoever guesses is kept out."""

import math
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError

from sessions_app import limits
from sessions_app.addresses import client_address
from sessions_app.errors import SeanceError


class LoginForm(AdminAuthenticationForm):
    """Django's own, counted before a password is looked at: for the caller's address, and for the account's."""

    def clean(self) -> dict[str, Any]:
        """Raises `ValidationError`, always alike."""
        assert self.request is not None  # noqa: S101  the login view gives it
        meta = self.request.META
        address = client_address(meta.get("REMOTE_ADDR"), meta.get("HTTP_X_FORWARDED_FOR", ""))
        account = str(self.cleaned_data.get("username", "")).strip().lower()
        try:
            limits.hit_all(("logins", address), ("account-logins", account))
        except SeanceError as refused:
            seconds = math.ceil((refused.retry_after_ms or 1000) / 1000)
            raise ValidationError(f"Too many attempts. Try again in {seconds} seconds.", code="rate_limited") from None
        cleaned = super().clean()
        limits.forget("account-logins", account)
        return cleaned
