"""Tests of sessions_app/services: shared fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

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
