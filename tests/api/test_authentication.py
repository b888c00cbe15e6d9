"""Tests of the REST door: who calls."""

import base64
import json
import secrets
from datetime import timedelta
from uuid import uuid4

import jwt
import pytest
from pytest_django import DjangoAssertNumQueries, Settings

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


def unsigned(claims: object, algorithm: str) -> str:
    parts = ({"alg": algorithm, "typ": "JWT"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE"])
@pytest.mark.parametrize("signature", ["", "kept"])
def test_a_token_of_the_algorithm_none_is_a_401(nobody: Caller, guest: User, algorithm: str, signature: str) -> None:
    good = create_access_token({"sub": guest.id})
    token = unsigned(jwt.decode(good, options={"verify_signature": False}), algorithm)
    token += good.rpartition(".")[2] if signature else ""

    assert nobody.get("/api/auth/me", Authorization=f"Bearer {good}").status == 200
    assert nobody.get("/api/auth/me", Authorization=f"Bearer {token}").outcome == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
def test_a_token_signed_with_a_foreign_key_is_a_401(nobody: Caller, guest: User, algorithm: str) -> None:
    claims = jwt.decode(create_access_token({"sub": guest.id}), options={"verify_signature": False})
    token = jwt.encode(claims, secrets.token_hex(32), algorithm=algorithm)

    assert nobody.get("/api/auth/me", Authorization=f"Bearer {token}").outcome == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "another"}, {"aud": "another"}, {"token_type": "refresh"}, {"exp": 10**30}, {"sub": 5}, {"sub": "x"},
        {"ver": "x"}, {"ver": 10**30}, {"fam": "x"}, {"fam": 5}, {"nbf": 10**11},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_of_ours_with_a_claim_that_is_none_is_a_401(
    nobody: Caller, guest: User, settings: Settings, change: dict[str, object]
) -> None:
    claims = jwt.decode(create_access_token({"sub": guest.id}), options={"verify_signature": False})
    token = jwt.encode(claims | change, settings.SIMPLE_JWT["SIGNING_KEY"], algorithm="HS256")

    assert nobody.get("/api/auth/me", Authorization=f"Bearer {token}").outcome == (401, "UNAUTHORIZED")


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
