"""sessions_app, the admins' room: forms that check what the services check, so that a refusal stands at its field."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import BaseUserCreationForm
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError

from sessions_app.errors import SeanceError
from sessions_app.models import Session, SpiritPersona, User
from sessions_app.selectors.sessions import taken_seats
from sessions_app.text import SESSION_NAME_MAX, THEME_MAX, USER_NAME_MAX, clean_name

if TYPE_CHECKING:
    _SessionForm = forms.ModelForm[Session]
    _UserForm = forms.ModelForm[User]
    _AccountForm = BaseUserCreationForm[User]
else:
    _SessionForm = _UserForm = forms.ModelForm
    _AccountForm = BaseUserCreationForm


def cleaned(name: str, limit: int) -> str:
    """A name as the kitchen stores it."""
    try:
        return clean_name(name, limit=limit)
    except SeanceError as refused:
        raise ValidationError(refused.details["name"]) from None


DIALS = ("spirit_warmth", "spirit_riddling", "spirit_menace")


def _personas() -> list[tuple[str, str]]:
    """Every persona that a session may have; one in another language must be chosen with it, over the API."""
    rows = SpiritPersona.objects.filter(current__isnull=False).order_by("slug")
    return [(slug, slug) for slug in rows.values_list("slug", flat=True).distinct()]


class SessionForm(_SessionForm):
    """A session's settings."""

    spirit_persona = forms.ChoiceField(choices=lambda: _personas())
    spirit_theme = forms.CharField(required=False, max_length=THEME_MAX)

    class Meta:
        model = Session
        fields = (
            "name",
            "max_users",
            "access",
            "is_listed",
            "is_locked",
            "spirit_persona",
            "spirit_mode",
            "spirit_pace",
            *DIALS,
            "spirit_theme",
        )

    def clean_name(self) -> str:
        return cleaned(self.cleaned_data["name"], SESSION_NAME_MAX)

    def clean_max_users(self) -> int:
        wanted: int = self.cleaned_data["max_users"]
        highest, taken = settings.SEANCE.max_users_limit, taken_seats(self.instance.pk)
        if not 2 <= wanted <= highest:
            raise ValidationError(f"Ensure this value is from 2 to {highest}.")
        if wanted < taken:
            raise ValidationError(f"{taken} seats are taken.")
        return wanted


AS_READ = ("name", "email", "is_active", "is_staff", "is_superuser")


class UserForm(_UserForm):
    """A person. A guest has no address; an account keeps one, in lower case.

    What was changed is told by what the page showed: one that was open while somebody was renamed, banned or erased
    must not bring back what had been.
    """

    class Meta:
        model = User
        fields = ("name", "email", "is_active", "is_staff", "is_superuser", "groups", "user_permissions")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields.keys() & set(AS_READ):
            self.fields[name].show_hidden_initial = True
        if "user_permissions" in self.fields:
            # Their names need the content type, and nobody is given rights over tokens.
            rights = Permission.objects.exclude(content_type__model="refreshtoken").select_related("content_type")
            self.fields["user_permissions"].queryset = rights  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        return cleaned(self.cleaned_data["name"], USER_NAME_MAX)

    def clean_email(self) -> str | None:
        address: str = (self.cleaned_data["email"] or "").strip().lower()
        if not address and not self.instance.is_guest:
            raise ValidationError("An account needs an address.")
        return address or None


class AccountForm(_AccountForm):
    """A new account, with its password."""

    class Meta:
        model = User
        fields = ("email", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].required = True
        self.instance.is_guest = False

    def clean_name(self) -> str:
        return cleaned(self.cleaned_data["name"], USER_NAME_MAX)

    def clean_email(self) -> str:
        address: str = self.cleaned_data["email"].strip().lower()
        return address
