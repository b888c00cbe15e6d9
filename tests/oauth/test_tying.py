"""Tests of coming in by OAuth: a provider is tied to a person who asked for it, and to nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sessions_app.errors import SeanceError
from sessions_app.models import Identity, OAuthAttempt, Participant, Session, User
from sessions_app.oauth import client as oauth_client
from sessions_app.oauth.providers import Profile
from sessions_app.services.accounts import change_password, login, upgrade
from sessions_app.services.bans import ban, sign_out, unban
from sessions_app.services.departures import erase
from sessions_app.services.oauth import begin, provider_of
from tests.oauth.conftest import Browser, code_of
from tests.oauth.provider import LoopbackProvider
from tests.services.helpers import make_account, make_guest


def test_an_account_is_not_taken_over_by_its_address(provider: LoopbackProvider, browser: Browser) -> None:
    """Neither the owner's by a provider that is wrong about it, nor the stranger's who took the address first."""
    User.objects.create_user("ada@example.org", "a planchette of oak 77", name="Eve")

    assert code_of(browser.come_in()) == (403, "FORBIDDEN")
    assert Identity.objects.count() == 0


def test_who_asks_for_it_is_tied_and_comes_in_by_it(provider: LoopbackProvider, db: None) -> None:
    user = make_account("Ada")

    tied = Browser(user).tie()

    assert tied.json()["data"]["user"]["id"] == str(user.id)
    assert Browser().come_in().json()["data"]["user"]["id"] == str(user.id)
    account = Browser(user).client.get("/api/auth/account", headers=Browser(user).headers).json()["data"]
    assert (account["providers"], account["email"]) == (["house"], user.email)


def test_a_guest_becomes_an_account_and_keeps_everything(provider: LoopbackProvider, db: None) -> None:
    guest = make_guest("Grete")
    room = Session.objects.create(name="Friday", host=guest)
    Participant.objects.create(session=room, user=guest, name="Grete")

    answer = Browser(guest).tie()

    user, told = User.objects.get(), answer.json()["data"]["user"]
    assert (told["id"], told["name"], told["is_guest"]) == (str(guest.id), "Grete", False)
    assert (user.id, user.email, room.participants.get().user_id) == (guest.id, "ada@example.org", guest.id)


def test_a_guest_does_not_get_the_address_of_an_account(provider: LoopbackProvider, db: None) -> None:
    User.objects.create_user("ada@example.org", None, name="Ada")

    assert code_of(Browser(make_guest()).tie()) == (403, "FORBIDDEN")


def test_what_is_tied_to_one_is_not_tied_to_another(provider: LoopbackProvider, browser: Browser) -> None:
    browser.come_in()

    assert code_of(Browser(make_account("Eve")).tie()) == (403, "FORBIDDEN")


def test_one_provider_is_tied_once(provider: LoopbackProvider, db: None) -> None:
    user = make_account("Ada")
    Browser(user).tie()
    again = Browser(user).tie()
    provider.person["sub"] = "ada-2"

    assert again.status_code == 200
    assert code_of(Browser(user).tie()) == (403, "FORBIDDEN")


def test_somebody_banned_on_the_way_is_not_tied(provider: LoopbackProvider, db: None) -> None:
    user = make_account("Ada")
    browser = Browser(user)
    url = browser.approve(browser.prepare().json()["data"]["url"])
    User.objects.update(is_active=False)

    assert code_of(browser.come_back(url)) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("end", ["ban", "password", "sign out"])
def test_who_was_signed_out_on_the_way_is_not_tied(provider: LoopbackProvider, end: str, db: None) -> None:
    """Whoever began it may have had a stolen token."""
    staff = make_account("Sol", is_staff=True)
    user = User.objects.create_user("ada@example.com", "a planchette of oak 77", name="Ada")
    browser = Browser(user)
    url = browser.approve(browser.prepare().json()["data"]["url"])
    ends: dict[str, Callable[[], object]] = {
        "ban": lambda: (ban(actor=staff, user_id=user.id), unban(actor=staff, user_id=user.id)),
        "password": lambda: change_password(
            actor=user, current="a planchette of oak 77", password="a planchette of elm 78"
        ),
        "sign out": lambda: sign_out(actor=staff, user=user),
    }

    ends[end]()

    assert code_of(browser.come_back(url)) == (403, "FORBIDDEN")
    assert (Identity.objects.count(), OAuthAttempt.objects.count()) == (0, 0)


def test_who_was_signed_out_begins_nothing(provider: LoopbackProvider, db: None) -> None:
    staff, user = make_account("Sol", is_staff=True), make_account("Ada")
    read_before = User.objects.get(pk=user.pk)
    sign_out(actor=staff, user=user)

    with pytest.raises(SeanceError) as caught:
        begin(
            provider=provider_of("house"), redirect_uri="https://here.example/", actor=read_before, browser="",
            return_to="", by_cookie=False,
        )  # fmt: skip

    assert caught.value.code == "UNAUTHORIZED"
    assert OAuthAttempt.objects.count() == 0


def while_asked(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """Do something when the provider has answered and nothing is stored yet."""
    ask = oauth_client.profile

    def profile(*args: Any, **values: Any) -> Profile:
        found = ask(*args, **values)
        work()
        return found

    monkeypatch.setattr(oauth_client, "profile", profile)


@pytest.mark.parametrize("is_guest", [True, False])
def test_who_is_erased_while_the_provider_is_asked_stays_erased(
    provider: LoopbackProvider, monkeypatch: pytest.MonkeyPatch, *, is_guest: bool, db: None
) -> None:
    user = make_guest() if is_guest else make_account()
    while_asked(monkeypatch, lambda: erase(actor=User.objects.get()))

    assert code_of(Browser(user).tie()) == (401, "UNAUTHORIZED")

    user.refresh_from_db()
    assert (user.email, user.is_guest, Identity.objects.count()) == (None, True, 0)


def test_a_guest_who_becomes_an_account_while_the_provider_is_asked_keeps_its_address_and_password(
    provider: LoopbackProvider, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    guest, email, password = make_guest("Grete"), "grete@example.com", "a planchette of oak 77"
    while_asked(monkeypatch, lambda: upgrade(actor=User.objects.get(), email=email, password=password, name=None))

    answer = Browser(guest).tie()

    assert answer.status_code == 200
    assert login(email=email, password=password).id == guest.id == Identity.objects.get().user_id


def test_the_link_of_a_page_ties_nobody(provider: LoopbackProvider, db: None) -> None:
    """A link can be followed without wanting it: only a request with a token asks to be tied."""
    user = make_account("Eve")
    browser = Browser(user)
    browser.client.cookies["seance_access"] = browser.headers["Authorization"].removeprefix("Bearer ")

    answer = browser.come_in()

    assert answer.json()["data"]["user"]["id"] != str(user.id)


def test_a_provider_is_untied_unless_it_is_the_only_way_in(provider: LoopbackProvider, browser: Browser) -> None:
    browser.come_in()
    new, old = User.objects.get(), User.objects.create_user("old@example.org", "a planchette of oak 77", name="Old")
    provider.person["sub"] = "old-1"
    Browser(old).tie()

    def untie(user: User, name: str = "house") -> tuple[int, str]:
        answer = Browser().client.delete(f"/api/auth/oauth/{name}", headers=Browser(user).headers)
        return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]["code"]

    assert untie(new) == (403, "FORBIDDEN")
    assert untie(old) == (200, "")
    assert untie(old) == (404, "NOT_FOUND")
    assert untie(old, "nobody") == (404, "NOT_FOUND")


@pytest.mark.parametrize("method", ["delete", "post"])
def test_a_cookie_alone_neither_ties_nor_unties(provider: LoopbackProvider, method: str, db: None) -> None:
    from django.test import Client

    user = make_account("Ada")
    client = Client(enforce_csrf_checks=True)
    client.cookies["seance_access"] = Browser(user).headers["Authorization"].removeprefix("Bearer ")

    answer = getattr(client, method)("/api/auth/oauth/house", content_type="application/json")

    assert code_of(answer) == (403, "FORBIDDEN")
