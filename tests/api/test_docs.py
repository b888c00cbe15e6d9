"""Tests of the REST door: the OpenAPI document and the pages that show it."""

import json
import re
from io import StringIO
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command

from sessions_app.api import urls
from sessions_app.api.docs import document
from sessions_app.errors import CODES, Code
from sessions_app.inputs import UpdateSession
from tests.api.conftest import Caller


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document())
    return found


def operations(openapi: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, one) for path, methods in openapi["paths"].items() for method, one in methods.items()]


def test_the_document_is_made_without_a_warning_and_is_valid() -> None:
    custom = "sessions_app.api.openapi.DOCUMENT"

    call_command("spectacular", fail_on_warn=True, validate=True, custom_settings=custom, stdout=StringIO())


def test_the_methods_of_a_path_have_one_order_in_every_process(openapi: dict[str, Any]) -> None:
    several = [list(methods) for methods in openapi["paths"].values() if len(methods) > 1]

    assert several
    for methods in several:
        assert methods == [one for one in ("get", "post", "patch", "delete") if one in methods]


def test_every_route_is_in_the_document(openapi: dict[str, Any]) -> None:
    routes = {"/api/" + re.sub(r"<\w+:(\w+)>", r"{\1}", str(one.pattern)) for one in urls.urlpatterns if one.name}

    assert {path for path in openapi["paths"] if path.startswith("/api")} == routes


def test_every_operation_has_an_answer_and_its_errors(openapi: dict[str, Any]) -> None:
    for path, method, one in operations(openapi):
        wanted = {"503"} if path in ("/health", "/health/ready") else set()
        if path.startswith("/api"):
            wanted = {"401", "406", "429", "500", "503"}
            wanted |= {"400", "415"} if "requestBody" in one else set()
            wanted |= {"404"} if "{" in path else set()
        assert wanted <= set(one["responses"]), (method, path)
        assert any(status < "400" for status in one["responses"]), (method, path)


def test_every_body_of_every_operation_has_an_example(openapi: dict[str, Any]) -> None:
    lacking = [
        (method, path, where, kind)
        for path, method, one in operations(openapi)
        for where, body in {**one["responses"], "request": one.get("requestBody", {"content": {}})}.items()
        for kind, content in body["content"].items()
        if "example" not in content and not content.get("examples")
    ]

    assert lacking == []


def test_every_error_is_shown_under_its_own_status(openapi: dict[str, Any]) -> None:
    shown = [
        (status, example["value"]["error"]["code"])
        for path, _, one in operations(openapi)
        if path.startswith("/api")
        for status, response in one["responses"].items()
        if status >= "400"
        for example in response["content"]["application/json"]["examples"].values()
    ]

    assert len(shown) > 200
    assert {(status, code) for status, code in shown if CODES[Code(code)].status != int(status)} == set()


def test_every_example_fits_its_schema(openapi: dict[str, Any]) -> None:
    for path, method, one in operations(openapi):
        bodies = [*one["responses"].values(), *([one["requestBody"]] if "requestBody" in one else [])]
        for content in (content for body in bodies for content in body["content"].values()):
            schema = {**content["schema"], "components": openapi["components"]}
            for example in content.get("examples", {}).values():
                jsonschema.Draft202012Validator(schema).validate(example["value"]), (path, method)


def test_making_the_document_leaves_the_structs_alone(openapi: dict[str, Any]) -> None:
    assert not hasattr(UpdateSession, "partial")


def test_times_are_told_to_be_times(openapi: dict[str, Any]) -> None:
    session = openapi["components"]["schemas"]["SessionData"]["properties"]

    assert session["created_at"] == {"type": "string", "format": "date-time"}
    assert {"type": "string", "format": "date-time"} in session["ended_at"]["anyOf"]


def test_operations_have_names_of_their_own(openapi: dict[str, Any]) -> None:
    names = [one["operationId"] for _, _, one in operations(openapi)]

    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z][A-Za-z]+", name) for name in names)


def test_the_home_page_leads_to_the_documentation(nobody: Caller) -> None:
    response = nobody.get("/").response

    assert (response.status_code, response["Location"]) == (302, "/docs")


def test_the_icon_that_browsers_ask_for_is_there(nobody: Caller) -> None:
    response = nobody.get("/favicon.ico").response

    assert response.status_code == 302
    assert finders.find(response["Location"].removeprefix("/static/"))


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/docs/", "/redoc/"])
def test_a_page_keeps_the_strict_policy_and_its_files_exist(nobody: Caller, path: str) -> None:
    response = nobody.get(path).response
    page, policy = response.content.decode(), response["Content-Security-Policy"]

    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|style=|<style|https?://", page)
    files = re.findall(r'(?:src|href)="/static/([^"]+)"', page)
    assert len(files) >= 4
    assert all(finders.find(name) for name in files)


def test_redoc_has_a_fresh_nonce_for_its_styles(nobody: Caller) -> None:
    first, second = (nobody.get("/redoc").response for _ in range(2))
    nonces = [re.search(r'data-nonce="([^"]+)"', page.content.decode()).group(1) for page in (first, second)]  # type: ignore[union-attr]

    assert f"style-src 'self' 'nonce-{nonces[0]}'" in first["Content-Security-Policy"]
    assert nonces[0] != nonces[1]
