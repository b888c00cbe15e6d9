"""Tests of sessions_app/services: guests, accounts, and the tokens they come in with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import jwt
import pytest
from django.conf import settings as django_settings
from django.contrib.auth.hashers import MD5PasswordHasher
from django.utils import timezone
from jwt.algorithms import HMACAlgorithm
from pytest_django import Settings

from sessions_app.errors import Code, SeanceError
from sessions_app.models import RefreshToken, User
from sessions_app.security import (
    create_access_token,
    digest,
    get_password_hash,
    new_refresh_token,
    verify_password,
    verify_token,
)
from sessions_app.services import accounts
from tests.services.helpers import PASSWORD, make_guest

pytestmark = pytest.mark.django_db


@pytest.fixture
def _quick_hashes(settings: Settings) -> Iterator[None]:
    """Argon2 is slow by design; what is tested here does not depend on it."""
    settings.PASSWORD_HASHERS = [f"{MD5PasswordHasher.__module__}.{MD5PasswordHasher.__name__}"]
    accounts._hash_of_nothing = None
    yield
    accounts._hash_of_nothing = None


def register(email: str = "ada@example.org", password: str = PASSWORD, name: str = "Ada") -> User:
    return accounts.register(email=email, password=password, name=name)


def refusal(service: object, *args: object, **values: object) -> SeanceError:
    with pytest.raises(SeanceError) as caught:
        service(*args, **values)  # type: ignore[operator]
    return caught.value


# --- Passwords --------------------------------------------------------------------------------------------------------


def test_a_password_is_hashed_with_argon2id_and_verified() -> None:
    hashed = get_password_hash(PASSWORD)

    assert hashed.startswith("argon2$argon2id$")
    assert PASSWORD not in hashed
    assert verify_password(PASSWORD, hashed)
    assert not verify_password(PASSWORD + " ", hashed)
    assert not verify_password("", "!")


@pytest.mark.usefixtures("_quick_hashes")
class TestRegisterAndLogin:
    def test_an_account_is_made_and_found_again_by_any_spelling_of_its_address(self) -> None:
        user = register("  Ada@Example.ORG ")

        assert (user.email, user.is_guest, user.is_staff, user.name) == ("ada@example.org", False, False, "Ada")
        assert accounts.login(email="ADA@example.org ", password=PASSWORD) == user

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("email", "nobody"), ("email", ""), ("email", "a@b"), ("email", "a\x00@example.org"),
            ("password", "short"), ("password", "password"), ("password", "12345678901"), ("password", "a\x00" * 10),
            ("password", "ada@example.org"), ("name", ""), ("name", "x" * 51), ("name", "a\x00"),
        ],
    )  # fmt: skip
    def test_a_wrong_field_is_named_and_nothing_is_stored(self, field: str, value: str) -> None:
        error = refusal(register, **{field: value})

        assert error.code == Code.VALIDATION_ERROR
        assert set(error.details) == {field}
        assert not User.objects.exists()

    def test_all_wrong_fields_are_named_together(self) -> None:
        error = refusal(register, "nobody", "short", "")

        assert set(error.details) == {"email", "password", "name"}

    def test_an_address_makes_one_account(self) -> None:
        register()

        error = refusal(register, "ADA@example.org", name="Eve")

        assert set(error.details) == {"email"}
        assert User.objects.get().name == "Ada"

    def test_every_failed_login_is_answered_alike(self) -> None:
        user = register()
        banned = register("bob@example.org")
        User.objects.filter(pk=banned.pk).update(is_active=False)
        make_guest()

        errors = [
            refusal(accounts.login, email=email, password=password)
            for email, password in (
                (user.email, "wrong"), ("nobody@example.org", PASSWORD), (banned.email, PASSWORD),
                ("", ""), ("a\x00b", PASSWORD), (user.email, PASSWORD + "\x00"),
            )
        ]  # fmt: skip

        assert {(error.code, error.message) for error in errors} == {
            (Code.UNAUTHORIZED, "The address or the password is wrong.")
        }


def test_a_guest_has_a_name_and_nothing_else() -> None:
    guest = accounts.create_guest(name="  Zoe\u0308 ")

    assert (guest.name, guest.is_guest, guest.email, guest.password) == ("Zoë", True, None, "")
    assert accounts.create_guest(name=None).name == "Anonymous"
    assert refusal(accounts.create_guest, name=" ").code == Code.VALIDATION_ERROR


# --- Access tokens ----------------------------------------------------------------------------------------------------


def test_an_access_token_says_whose_it_is() -> None:
    guest = make_guest()

    claims = verify_token(accounts.access_token(guest))

    assert claims.user_id == guest.id
    minutes = (claims.expires_at - timezone.now().timestamp()) / 60
    assert minutes == pytest.approx(django_settings.SEANCE.access_token_expire_minutes, abs=0.1)


def forged(**changed: object) -> str:
    """A token signed with our key, its claims changed; None leaves one out."""
    good = jwt.decode(create_access_token({"sub": make_guest().id}), options={"verify_signature": False})
    claims = {key: value for key, value in {**good, **changed}.items() if value is not None}
    return jwt.encode(claims, django_settings.SEANCE.jwt_secret, algorithm=django_settings.SEANCE.jwt_algorithm)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1}, {"exp": None}, {"iss": "another"}, {"aud": "another"}, {"aud": None}, {"iss": None},
        {"sub": None}, {"sub": "nobody"}, {"jti": None}, {"token_type": "refresh"}, {"token_type": None},
    ],
)  # fmt: skip
def test_a_token_with_a_wrong_claim_is_none(claims: dict[str, object]) -> None:
    assert refusal(verify_token, forged(**claims)).code == Code.UNAUTHORIZED


def test_a_token_of_another_key_or_of_none_is_none() -> None:
    good = create_access_token({"sub": make_guest().id})
    claims = jwt.decode(good, options={"verify_signature": False})
    head, payload, signature = good.split(".")
    wrong = [
        jwt.encode(claims, "k" * 64, algorithm="HS256"),
        jwt.encode(claims, "", algorithm="none"),
        f"{head}.{payload}.",
        f"{head}.{payload}.{signature[:-2]}",
        good + ".x",
        "",
        "x",
        "\x00",
        "\ud800",
        "é.é.é",
        new_refresh_token(),
    ]

    assert verify_token(good)
    for token in wrong:
        assert refusal(verify_token, token).code == Code.UNAUTHORIZED


def test_a_secret_is_looked_at_once_and_signs_as_for_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    algorithm = django_settings.SEANCE.jwt_algorithm
    looked: list[bytes] = []

    def look(key: bytes) -> bool:
        looked.append(key)
        return False

    monkeypatch.setattr(HMACAlgorithm, "_is_der_key", staticmethod(look))

    tokens = [create_access_token({"sub": make_guest().id}) for _ in range(3)]
    known = [verify_token(token).user_id for token in tokens]

    assert len(looked) <= 1
    untouched = jwt.PyJWT()  # with algorithms of its own
    for user_id, token in zip(known, tokens, strict=True):
        told = untouched.decode(token, django_settings.SEANCE.jwt_secret, algorithms=[algorithm], audience="seance")
        assert told["sub"] == str(user_id)


# --- Refresh tokens ---------------------------------------------------------------------------------------------------


def test_a_refresh_token_is_stored_as_its_digest_only() -> None:
    tokens = accounts.issue_tokens(make_guest())

    row = RefreshToken.objects.get()
    assert bytes(row.digest) == digest(tokens.refresh)
    assert tokens.refresh.encode() not in bytes(row.digest)
    assert refusal(verify_token, tokens.refresh).code == Code.UNAUTHORIZED


def test_a_refresh_token_is_traded_once_and_stays_in_the_family() -> None:
    guest = make_guest()
    first = accounts.issue_tokens(guest)

    user, second = accounts.refresh_tokens(first.refresh)
    _, third = accounts.refresh_tokens(second.refresh)

    assert user == guest
    assert len({first.refresh, second.refresh, third.refresh}) == 3
    assert len(set(RefreshToken.objects.values_list("family", flat=True))) == 1


def test_a_refresh_token_used_twice_revokes_its_whole_family() -> None:
    guest = make_guest()
    first, other = accounts.issue_tokens(guest), accounts.issue_tokens(guest)
    _, second = accounts.refresh_tokens(first.refresh)
    RefreshToken.objects.filter(used_at__isnull=False).update(used_at=timezone.now() - timedelta(seconds=1))

    assert refusal(accounts.refresh_tokens, first.refresh).code == Code.UNAUTHORIZED

    assert refusal(accounts.refresh_tokens, second.refresh).code == Code.UNAUTHORIZED
    assert accounts.refresh_tokens(other.refresh)[0] == guest


def test_a_revoked_token_ends_its_family_and_no_other() -> None:
    guest = make_guest()
    first, other = accounts.issue_tokens(guest), accounts.issue_tokens(guest)
    _, second = accounts.refresh_tokens(first.refresh)

    accounts.revoke(first.refresh)

    assert refusal(accounts.refresh_tokens, second.refresh).code == Code.UNAUTHORIZED
    assert accounts.refresh_tokens(other.refresh)[0] == guest


@pytest.mark.parametrize("token", ["", "unknown", "\x00", "\ud800", "x" * 10_000])
def test_an_unknown_refresh_token_is_refused_and_as_good_as_revoked(token: str) -> None:
    assert refusal(accounts.refresh_tokens, token).code == Code.UNAUTHORIZED
    accounts.revoke(token)


def test_an_old_refresh_token_and_that_of_a_banned_user_are_refused() -> None:
    old, banned = make_guest(), make_guest()
    tokens = [accounts.issue_tokens(user).refresh for user in (old, banned)]
    RefreshToken.objects.filter(user=old).update(expires_at=timezone.now() - timedelta(seconds=1))
    User.objects.filter(pk=banned.pk).update(is_active=False)

    for token in tokens:
        assert refusal(accounts.refresh_tokens, token).code == Code.UNAUTHORIZED


# --- Two at once: what one read before the other's commit ------------------------------------------------------------


@pytest.mark.usefixtures("_quick_hashes")
def test_a_login_with_the_old_password_gets_no_tokens_once_it_is_changed() -> None:
    register()
    found = accounts.login(email="ada@example.org", password=PASSWORD)
    accounts.change_password(actor=User.objects.get(), current=PASSWORD, password="another long one 7")

    with pytest.raises(SeanceError) as refused:
        accounts.issue_tokens(found)

    assert refused.value.code == Code.UNAUTHORIZED
    assert not RefreshToken.objects.exists()


@pytest.mark.usefixtures("_quick_hashes")
def test_of_two_who_change_a_password_at_once_one_wins() -> None:
    register()
    first, second = User.objects.get(), User.objects.get()
    accounts.change_password(actor=first, current=PASSWORD, password="the first long one 7")

    with pytest.raises(SeanceError) as refused:
        accounts.change_password(actor=second, current=PASSWORD, password="the second long one 7")

    assert refused.value.code == Code.UNAUTHORIZED
    assert verify_password("the first long one 7", User.objects.get().password)


@pytest.mark.usefixtures("_quick_hashes")
def test_nothing_is_written_back_into_a_person_who_was_erased() -> None:
    guest = make_guest()
    User.objects.filter(pk=guest.pk).update(is_active=False, name="Erased")

    with pytest.raises(SeanceError) as renamed:
        accounts.rename(actor=guest, name="Eve")
    with pytest.raises(SeanceError) as upgraded:
        accounts.upgrade(actor=guest, email="eve@example.org", password=PASSWORD, name=None)

    assert (renamed.value.code, upgraded.value.code) == (Code.UNAUTHORIZED, Code.FORBIDDEN)
    shell = User.objects.get(pk=guest.pk)
    assert (shell.name, shell.email, shell.is_guest) == ("Erased", None, True)


@pytest.mark.usefixtures("_quick_hashes")
def test_of_two_upgrades_of_one_guest_the_second_is_refused() -> None:
    guest = make_guest()
    first, second = User.objects.get(pk=guest.pk), User.objects.get(pk=guest.pk)
    accounts.upgrade(actor=first, email="ada@example.org", password=PASSWORD, name=None)

    with pytest.raises(SeanceError) as refused:
        accounts.upgrade(actor=second, email="eve@example.org", password=PASSWORD, name=None)

    assert refused.value.code == Code.FORBIDDEN
    assert User.objects.get(pk=guest.pk).email == "ada@example.org"
