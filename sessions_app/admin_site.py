"""sessions_app, the admins' room: the site itself.

It stands beside the package `admin`, which registers everything with it, and imports from there only when it is asked:
whatever that package imports while the site is being made would be registered with another one.
"""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse


def may_come_in(user: Any) -> bool:
    """Whether somebody passes the admin's door."""
    return bool(user.is_active and (user.is_staff or user.has_module_perms("sessions_app")))


class SeanceSite(AdminSite):
    """Django's own, whose front page is the dashboard."""

    site_header = site_title = "Séance"
    index_title = "How it goes"
    index_template = "admin/dashboard.html"

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff, and whoever was given a right over something here, to look at it for instance."""
        return may_come_in(request.user)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The dashboard, and below it the lists."""
        from sessions_app.admin import dashboard

        return super().index(request, {**dashboard.context(request.GET.get("span", "")), **(extra_context or {})})

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Django's page, with a form that ends what the old password opened."""
        from django.contrib.auth.views import PasswordChangeView

        from sessions_app.admin.entrance import PasswordForm

        view = PasswordChangeView.as_view(
            form_class=PasswordForm,
            success_url=reverse("admin:password_change_done", current_app=self.name),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return view(request)
