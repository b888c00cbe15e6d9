"""Tests of sessions_app/services/turns: a room in which the spirit answers everything."""

from __future__ import annotations

import pytest

from sessions_app.models import Session, User
from tests.services.helpers import (
    make_account,
    make_session,
)


@pytest.fixture
def ada() -> User:
    return make_account("Ada")


@pytest.fixture
def room(ada: User) -> Session:
    """A session of Ada's in which every message is a question."""
    return make_session(ada, spirit_mode="open", spirit_pace="instant", max_users=20)
