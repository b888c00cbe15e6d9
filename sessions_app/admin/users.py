"""sessions_app, the admins' room: people. A ban or a new password reaches the open sockets, too."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from sessions_app.admin.base import SeanceAdmin, actor, link, row_of
from sessions_app.admin.forms import AS_READ, AccountForm, UserForm
from sessions_app.errors import Code, SeanceError
from sessions_app.models import Act, User
from sessions_app.services.audit import record
from sessions_app.services.bans import ban, sign_out, unban

if TYPE_CHECKING:

    class _UserAdmin(SeanceAdmin[User], DjangoUserAdmin[User]):
        pass
else:

    class _UserAdmin(SeanceAdmin, DjangoUserAdmin):
        pass


@admin.register(User)
class UserAdmin(_UserAdmin):
    """Accounts and guests. Neither is deleted here: whoever misbehaves is banned."""

    form, add_form = UserForm, AccountForm
    list_display = ("name", "email", "is_guest", "is_active", "is_staff", "joined_at")
    list_filter = ("is_guest", "is_active", "is_staff", "is_superuser", "joined_at")
    search_fields = ("name", "email")
    search_help_text = "A part of the name or of the address, or a whole id."
    ordering = ("-id",)
    filter_horizontal = ("groups", "user_permissions")
    readonly_fields = ("id", "is_guest", "joined_at", "last_login", "password_link", "seats")
    fieldsets = (
        (None, {"fields": ("id", "name", "email", "is_guest", "password_link", "is_active")}),
        ("Rights", {"fields": ("is_staff", "is_superuser", "groups", "user_permissions"), "classes": ("collapse",)}),
        ("Traces", {"fields": ("joined_at", "last_login", "seats")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "name", "password1", "password2")}),)
    actions = ["ban"]

    @admin.display(description="password")
    def password_link(self, row: User) -> SafeString | str:
        """The way to the form that sets a new one; the hash is nobody's business."""
        if row.is_guest:
            return "a guest has none"
        return SafeString('<a href="../password/">Set a new password</a>')

    @admin.display(description="where")
    def seats(self, row: User) -> SafeString:
        """Links to the sessions and the messages."""
        parts = [
            link("session_changelist", "hosts", host__id__exact=row.pk),
            link("participant_changelist", "sits", user__id__exact=row.pk),
            link("message_changelist", "said", q=row.pk),
        ]
        return row_of(parts)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """A guest has no rights to be given."""
        found = super().get_fieldsets(request, obj)
        return [one for one in found if one[0] != "Rights"] if obj is not None and obj.is_guest else found

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """A guest has no address; rights are given by superusers only."""
        fields = list(super().get_readonly_fields(request, obj))
        if obj is not None and obj.is_guest:
            fields.append("email")
        if not actor(request).is_superuser:
            fields += ["is_staff", "is_superuser", "groups", "user_permissions"]
        return fields

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody below a superuser changes staff: a new password would be a way to the top."""
        if obj is not None and (obj.is_staff or obj.is_superuser) and not actor(request).is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save what was changed here, and write it down; a ban and its end are the service's.

        Nothing else of the row is written: a password may be another by now, and its person erased.
        """
        changed = [name for name in form.changed_data if name != "is_active" and not name.startswith("password")]
        if not change:
            super().save_model(request, obj, form, change)
        elif columns := {name: getattr(obj, name) for name in changed if name in AS_READ}:
            as_read = User.objects.filter(pk=obj.pk, is_guest=obj.is_guest, is_active=form.initial["is_active"])
            if not as_read.update(**columns):
                raise SeanceError(Code.FORBIDDEN, "This person is not the same any more. Look again.")
        if changed:
            record(Act.UPDATE_USER, actor=actor(request), target=obj.pk, fields=changed)
        if change and "is_active" in form.changed_data:
            (unban if obj.is_active else ban)(actor=actor(request), user_id=obj.pk)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Set a password; whoever came in with the old one must come in again."""
        user = self.get_object(request, id)
        if user is None:
            raise Http404
        if user.is_guest:
            raise PermissionDenied
        with transaction.atomic():
            response = super().user_change_password(request, id, form_url)
            user.refresh_from_db(fields=["password"])
            if request.method == "POST" and response.status_code == 302:
                sign_out(actor=actor(request), user=user)
        return response

    @admin.action(description="Ban selected people", permissions=["change"])
    def ban(self, request: HttpRequest, queryset: Any) -> None:
        """Shut the door on each of them, those aside whom this admin may not change, and oneself."""
        done = 0
        for row in queryset.filter(is_active=True).exclude(pk=actor(request).pk):
            if self.has_change_permission(request, row):
                with transaction.atomic():
                    ban(actor=actor(request), user_id=row.pk)
                    self.log_change(request, row, "Banned.")
                done += 1
        self.message_user(request, f"{done} banned.")
