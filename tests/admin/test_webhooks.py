"""Tests of the admins' room: endpoints of webhooks are made, tried and given secrets; deliveries are sent again."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from sessions_app.models import AuditEntry, User, WebhookDelivery, WebhookEndpoint
from sessions_app.services.webhooks.endpoints import good_secrets

PAGE, DELIVERIES = "/admin/sessions_app/webhookendpoint/", "/admin/sessions_app/webhookdelivery/"
FORM = {"name": "Ours", "url": "https://hooks.example.org/in", "kinds": ["message.*", "session.ended"]}


def shown(text: str) -> list[str]:
    return re.findall(r"<code>(whsec_[A-Za-z0-9+/=]+)</code>", text)


def test_an_endpoint_is_made_and_its_secret_shown_once(admin: Client) -> None:
    response = admin.post(f"{PAGE}add/", FORM)

    row = WebhookEndpoint.objects.get()
    assert shown(response.content.decode()) == good_secrets(row)
    assert row.kinds == ["message.*", "session.ended"]
    assert shown(admin.get(f"{PAGE}{row.pk}/change/").content.decode()) == []
    assert AuditEntry.objects.filter(act="create_webhook", target=row.pk).exists()


def test_a_target_inside_is_refused_at_its_field(admin: Client) -> None:
    response = admin.post(f"{PAGE}add/", FORM | {"url": "https://169.254.169.254/latest"})

    assert "not one of the public Internet" in response.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_it_is_rotated_pinged_and_its_deliveries_are_sent_again(admin: Client) -> None:
    admin.post(f"{PAGE}add/", FORM)
    row = WebhookEndpoint.objects.get()

    rotated = admin.post(PAGE, {"action": "rotate", "_selected_action": [str(row.pk)]})
    admin.post(PAGE, {"action": "ping", "_selected_action": [str(row.pk)]})
    WebhookDelivery.objects.update(state="failed", tries=11)
    admin.post(DELIVERIES, {"action": "send_again", "_selected_action": [str(WebhookDelivery.objects.get().pk)]})

    row.refresh_from_db()
    assert shown(rotated.content.decode()) == good_secrets(row)[:1]
    assert len(good_secrets(row)) == 2
    sent = WebhookDelivery.objects.get()
    assert (sent.state, sent.tries, sent.event.kind) == ("pending", 0, "webhook.ping")
    assert admin.get(DELIVERIES).status_code == 200


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}add/", DELIVERIES])
def test_staff_that_is_no_superuser_sees_nothing_of_it(path: str) -> None:
    client = Client()
    client.force_login(User.objects.create_user("clerk@example.org", "a long password 1", name="Clerk", is_staff=True))

    assert client.get(path).status_code == 403
