"""Tests of sessions_app/migrations: the spirit's tables go back, and come again, with rows in them."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from sessions_app.models import PersonaVersion, SpiritTurn, TurnState, WebhookEndpoint
from sessions_app.services.messages import Draft, post_messages
from sessions_app.services.webhooks import endpoints
from tests.services.helpers import make_account, make_process, make_session, sit


@pytest.mark.django_db(transaction=True)
def test_the_spirits_tables_go_back_and_come_again() -> None:
    host = make_account("Host")
    room = make_session(host, spirit_mode="open")
    people = [make_account(name) for name in ("Ada", "Bob", "Eve")]
    process_id = make_process()
    for one in people:
        sit(room, process_id, one)
    post_messages([Draft(room.id, one.id, f"Question {number // 2}?") for number, one in enumerate(people)])
    assert TurnState.MERGED in SpiritTurn.objects.values_list("state", flat=True)

    call_command("migrate", "sessions_app", "0002", verbosity=0)
    call_command("migrate", verbosity=0)

    assert list(SpiritTurn.objects.order_by("number").values_list("state", flat=True)) == [
        "queued", "withdrawn", "queued",
    ]  # fmt: skip
    assert PersonaVersion.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_the_tables_of_webhooks_go_back_and_come_again() -> None:
    endpoints.create_endpoint(actor=make_account(is_superuser=True), name="x", url="https://a.example.org", kinds=["*"])

    call_command("migrate", "sessions_app", "0004", verbosity=0)
    call_command("migrate", verbosity=0)

    assert not WebhookEndpoint.objects.exists()
