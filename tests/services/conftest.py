"""Tests of sessions_app/services: shared fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from django.db import connection

from sessions_app import publish
from tests.services.helpers import Told, make_process


@pytest.fixture
def told() -> Iterator[Told]:
    """What the services tell; connected where a server process would be."""
    far_end = Told()
    publish.connect(far_end)
    yield far_end
    publish.connect(None)


@pytest.fixture
def process_id(db: None) -> UUID:
    """A server process in the book."""
    return make_process()


@pytest.fixture(autouse=True)
def _may_be_emptied(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that commits ends with TRUNCATE, which the audit log refuses where nobody says otherwise."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None or not marker.kwargs.get("transaction"):
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_no_truncate")
