"""Tests of the REST door: requests made up from the OpenAPI document, against the application in process.

Whatever is sent, nothing crashes, and every answer has a status, a media type and a shape that the document names.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from sessions_app.api.docs import document
from sessions_app.models import Session, User
from sessions_app.services.accounts import access_token

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance, unsupported_method,
]  # fmt: skip
STAFFS_ALONE = "^/api/(reports|users|analytics/overview)"
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "12"))
api = schemathesis.openapi.from_file(document().decode())
api.app = WSGIHandler()
# A host may do in the own session what staff may; the rest is staff's alone.
FOR_STAFF = api.include(path_regex=STAFFS_ALONE)
FOR_ALL = api.exclude(path_regex=STAFFS_ALONE)


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """Unlike Django's own test client, this one lets a request that ends close the connection of the test."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def check(case: Any, headers: dict[str, str], session: Session) -> None:
    """Ask, and hold the answer against the document."""
    if "session_id" in case.path_parameters:
        case.path_parameters["session_id"] = str(session.id)

    response = case.call(headers=headers)

    case.validate_response(response, checks=CHECKS, headers=headers)


@FOR_ALL.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_in_the_document(case: Any, host: User, session: Session) -> None:
    # Erased, the host would be nobody in all that follows.
    erases = case.path.startswith("/api/auth/me") and case.method == "DELETE"

    check(case, {} if erases else {"Authorization": f"Bearer {access_token(host)}"}, session)


@FOR_STAFF.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_to_staff_is_in_the_document(case: Any, staff: User, session: Session) -> None:
    check(case, {"Authorization": f"Bearer {access_token(staff)}"}, session)


def test_the_application_is_the_whole_one() -> None:
    assert len(api) > 0 or pytest.fail("the document has no operations")
