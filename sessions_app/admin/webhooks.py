"""sessions_app, the admins' room: webhooks: endpoints, and how deliveries to them went. Superusers change them."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from sessions_app.admin.base import ReadOnlyAdmin, SeanceAdmin, actor
from sessions_app.models import DeliveryState, WebhookDelivery, WebhookEndpoint
from sessions_app.services.webhooks import endpoints
from sessions_app.webhooks.kinds import PATTERNS
from sessions_app.webhooks.targets import Forbidden, check_url

if TYPE_CHECKING:
    _EndpointForm = forms.ModelForm[WebhookEndpoint]
else:
    _EndpointForm = forms.ModelForm


class EndpointForm(_EndpointForm):
    """An endpoint, checked as the service checks it."""

    kinds = forms.MultipleChoiceField(choices=[(one, one) for one in PATTERNS], widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = WebhookEndpoint
        fields = ("name", "url", "kinds", "is_active")

    def clean_url(self) -> str:
        try:
            return check_url(self.cleaned_data["url"].strip())
        except Forbidden as refused:
            raise ValidationError(f"This is refused: {refused}.") from None


def _is_superuser(request: HttpRequest) -> bool:
    return actor(request).is_superuser


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(SeanceAdmin[WebhookEndpoint]):
    """Endpoints. A secret is shown once, on the page that answers its making."""

    form = EndpointForm
    list_display = ("name", "url", "is_active", "failures", "failing_since", "reason")
    list_filter = ("is_active",)
    search_fields = ("name", "url")
    ordering = ("id",)
    readonly_fields = ("created_at", "old_until", "failing_since", "failures", "reason")
    actions = ("rotate", "ping", "replay_failed")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        given = {name: form.cleaned_data[name] for name in ("name", "url", "kinds")}
        if change:
            is_active = form.cleaned_data["is_active"]
            endpoints.update_endpoint(actor=actor(request), endpoint_id=obj.pk, is_active=is_active, **given)
            return
        row, secret = endpoints.create_endpoint(actor=actor(request), **given)
        obj.pk, obj.created_at = row.pk, row.created_at
        request.META["seance.webhook_secret"] = secret

    def response_add(self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None) -> Any:
        return self._show(request, [(obj.name, request.META.pop("seance.webhook_secret"))])

    def _show(self, request: HttpRequest, secrets: list[tuple[str, str]]) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": "Secrets", "secrets": secrets, "opts": self.opts}
        response = TemplateResponse(request, "admin/sessions_app/webhookendpoint/secrets.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def delete_model(self, request: HttpRequest, obj: WebhookEndpoint) -> None:
        endpoints.delete_endpoint(actor=actor(request), endpoint_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            self.delete_model(request, row)

    @admin.action(description="Give another secret; the old one signs for a day more", permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        """New secrets, shown once."""
        who = actor(request)
        return self._show(
            request, [(row.name, endpoints.rotate_secret(actor=who, endpoint_id=row.pk)) for row in queryset]
        )

    @admin.action(description="Send a ping", permissions=["change"])
    def ping(self, request: HttpRequest, queryset: Any) -> None:
        """Try them."""
        sent = [endpoints.ping(actor=actor(request), endpoint_id=row.pk) for row in queryset]
        self.message_user(request, f"{len(sent)} on the way.")

    @admin.action(description="Send again what was given up", permissions=["change"])
    def replay_failed(self, request: HttpRequest, queryset: Any) -> None:
        """All of it that is still kept."""
        rows = WebhookDelivery.objects.filter(endpoint__in=queryset, state=DeliveryState.FAILED)
        self.message_user(request, f"{endpoints.replay(actor=actor(request), deliveries=rows)} will be sent again.")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin[WebhookDelivery]):
    """Deliveries, the newest first."""

    list_display = ("id", "endpoint", "event", "state", "tries", "next_at", "ended_at", "status", "error", "seconds")
    list_filter = ("state", "endpoint")
    list_select_related = ("endpoint", "event")
    search_fields = ("error",)
    id_lookups = ("pk", "event", "event__session")
    ordering = ("-id",)
    actions = ("send_again",)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Whether this admin may send again."""
        return _is_superuser(request)

    @admin.action(description="Send again, under the same id", permissions=["replay"])
    def send_again(self, request: HttpRequest, queryset: Any) -> None:
        """From the first try."""
        count = endpoints.replay(actor=actor(request), deliveries=queryset)
        self.message_user(request, f"{count} will be sent again.")
