"""Tests of the REST door: what is kept of reads is told as if it were not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from sessions_app.models import User
from tests.api.conftest import Answer, Caller
from tests.services.helpers import make_account, make_session, with_settings

pytestmark = [pytest.mark.django_db, pytest.mark.services]


def told(caller: Caller, path: str) -> Any:
    """An answer, but for its time."""
    body = caller.get(path).body
    del body["meta"]["timestamp"]
    return body


def test_a_kept_answer_is_that_of_the_database_and_a_new_one_after_each_act(settings: Settings) -> None:
    host: User = make_account()
    caller, room = Caller(host), make_session(host)
    paths = [f"/api/sessions/{room.id}{rest}" for rest in ("", "/history", "/history?limit=1", "/history?after_seq=1")]
    acts: list[Callable[[], Answer]] = [
        lambda: caller.post(f"/api/sessions/{room.id}/messages", {"text": "Is anyone there?"}),
        lambda: caller.post(f"/api/sessions/{room.id}/messages", {"text": "And now?"}),
        lambda: caller.patch(f"/api/sessions/{room.id}", {"name": "Another room"}),
        lambda: caller.delete(f"/api/sessions/{room.id}"),
    ]
    plain = with_settings(read_cache=())
    keeping = with_settings(read_cache=("session", "history"))

    for act in acts:
        settings.SEANCE = keeping
        assert act().status < 300
        made, kept = ([told(caller, path) for path in paths] for _ in range(2))
        settings.SEANCE = plain
        assert made == kept == [told(caller, path) for path in paths]
