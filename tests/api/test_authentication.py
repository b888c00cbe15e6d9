"""Tests of the REST door: who calls."""

from datetime import timedelta
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from sessions_app.models import User
from sessions_app.security import create_access_token
from tests.api.conftest import Caller


def forged(user: User) -> str:
    head, body, _ = create_access_token({"sub": user.id}).split(".")
    return f"Bearer {head}.{body}.{'A' * 43}"


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "Basic YTpi", "Token x", "x", "Bearer \u00e9", "Bearer a b"],
)
def test_a_malformed_token_is_a_401_even_where_none_is_needed(nobody: Caller, header: str) -> None:
    answer = nobody.get("/api/sessions", Authorization=header)

    assert answer.outcome == (401, "UNAUTHORIZED")
    assert answer.response["WWW-Authenticate"] == "Bearer"


def test_a_forged_token_is_a_401(nobody: Caller, guest: User) -> None:
    assert nobody.get("/api/sessions", Authorization=forged(guest)).status == 401


def test_an_expired_token_is_a_401(nobody: Caller, guest: User) -> None:
    token = create_access_token({"sub": guest.id}, timedelta(seconds=-1))

    assert nobody.get("/api/sessions", Authorization=f"Bearer {token}").status == 401


def test_a_token_of_somebody_unknown_is_a_401(nobody: Caller) -> None:
    token = create_access_token({"sub": uuid4()})

    assert nobody.get("/api/sessions", Authorization=f"Bearer {token}").status == 401


def test_a_token_of_a_banned_person_is_a_401(as_guest: Caller, guest: User) -> None:
    User.objects.filter(pk=guest.pk).update(is_active=False)

    assert as_guest.get("/api/sessions").status == 401


def test_a_refresh_token_is_no_access_token(nobody: Caller) -> None:
    refresh = nobody.post("/api/auth/guest", {"name": "Ada"}).data["refresh"]

    assert nobody.get("/api/auth/me", Authorization=f"Bearer {refresh}").status == 401


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_a_token_in_the_query_string_is_not_looked_at(nobody: Caller, guest: User, name: str) -> None:
    token = create_access_token({"sub": guest.id})

    assert nobody.get(f"/api/auth/me?{name}={token}").status == 401


def test_the_scheme_has_no_case(nobody: Caller, guest: User) -> None:
    token = create_access_token({"sub": guest.id})

    assert nobody.get("/api/auth/me", Authorization=f"bearer {token}").data["id"] == str(guest.id)


def test_a_token_costs_one_query(as_guest: Caller, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        as_guest.get("/api/auth/me")
