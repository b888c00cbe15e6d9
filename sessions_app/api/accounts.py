"""sessions_app/api, the REST door: guests, accounts, tokens, and oneself."""

from django.conf import settings
from msgspec import UNSET
from rest_framework.request import Request
from rest_framework.response import Response

from sessions_app import events, limits, policies
from sessions_app.api.base import Door
from sessions_app.api.envelope import answer
from sessions_app.api.openapi import enveloped, operation
from sessions_app.api.shapes import Revoked, SignedIn, UpdateMe, VerificationSent, VerifyInput
from sessions_app.errors import Code
from sessions_app.inputs import Credentials, NewGuest, RefreshInput, Register, read
from sessions_app.models import User
from sessions_app.selectors.shapes import user_data
from sessions_app.services import accounts as services

SIGNED_IN = enveloped("SignedInAnswer", SignedIn)
SENT = enveloped("VerificationSentAnswer", VerificationSent)
REVOKED = enveloped("RevokedAnswer", Revoked)
ME = enveloped("UserAnswer", events.UserData)
ME_PLACE = {"Location": "/api/auth/me"}


def _signed_in(user: User, tokens: services.Tokens | None = None, *, status: int = 200) -> Response:
    pair = tokens or services.issue_tokens(user)
    headers = ME_PLACE if status == 201 else None
    return answer(SignedIn(user_data(user), pair.access, pair.refresh), status=status, headers=headers)


class Auth(Door):
    """`/api/auth/…`: how one comes by tokens, and rid of them."""

    @operation(
        "createGuest", "auth", "Come in as a guest", answers={201: SIGNED_IN}, body=NewGuest, errors=[Code.FORBIDDEN]
    )
    def guest(self, request: Request) -> Response:
        """A person without an account, while the server lets guests in."""
        return _signed_in(services.enter_as_guest(name=read(NewGuest, request.data).name), status=201)

    @operation(
        "register", "auth", "Make an account", answers={201: SIGNED_IN, 202: SENT}, body=Register,
    )  # fmt: skip
    def register(self, request: Request) -> Response:
        """201 with tokens; where addresses are verified always the same 202, and a mail tells the owner what to do."""
        values = read(Register, request.data)
        given = {"email": values.email, "password": values.password, "name": values.name}
        if settings.SEANCE.email_verification:
            services.begin_registration(**given)
            return answer(VerificationSent(), status=202)
        return _signed_in(services.register(**given), status=201)

    @operation("verifyAddress", "auth", "Finish making an account", answers={200: SIGNED_IN}, body=VerifyInput)
    def verify(self, request: Request) -> Response:
        """With the token of the mail; it is good for a day, and once."""
        return _signed_in(services.finish_registration(token=read(VerifyInput, request.data).token))

    @operation("logIn", "auth", "Come in with an account", answers={200: SIGNED_IN}, body=Credentials)
    def token(self, request: Request) -> Response:
        """The same 401 for an unknown address and a wrong password."""
        values = read(Credentials, request.data)
        # Of an address that has no account as well, so that being limited tells nothing.
        account = values.email.strip().lower()
        limits.hit("account-logins", account)
        user = services.login(email=values.email, password=values.password)
        limits.forget("account-logins", account)
        return _signed_in(user)

    @operation("refreshToken", "auth", "Get the next tokens", answers={200: SIGNED_IN}, body=RefreshInput)
    def refresh(self, request: Request) -> Response:
        """A refresh token works once; used again it revokes all that came of it."""
        user, tokens = services.refresh_tokens(read(RefreshInput, request.data).refresh)
        return _signed_in(user, tokens)

    @operation("revokeToken", "auth", "Log out", answers={200: REVOKED}, body=RefreshInput)
    def revoke(self, request: Request) -> Response:
        """The refresh token and its whole family; an unknown one is as good as revoked."""
        services.revoke(read(RefreshInput, request.data).refresh)
        return answer(Revoked())


class Me(Door):
    """`/api/auth/me`."""

    @operation("getMe", "auth", "Read oneself", answers={200: ME}, caller="known")
    def retrieve(self, request: Request) -> Response:
        """Who the token says one is."""
        return answer(user_data(policies.require_user(self.actor)))

    @operation("updateMe", "auth", "Change oneself", answers={200: ME}, body=UpdateMe, caller="known")
    def partial_update(self, request: Request) -> Response:
        """Messages that were said keep the name of that moment; a seat takes the new one with the next joining."""
        user, values = policies.require_user(self.actor), read(UpdateMe, request.data)
        if values.name is not UNSET:
            user = services.rename(actor=user, name=values.name)
        return answer(user_data(user))

    @operation("eraseMe", "auth", "Erase oneself", answers={200: ME}, caller="known")
    def destroy(self, request: Request) -> Response:
        """What is left is a nameless shell: see `services.accounts.erase`. There is no way back."""
        return answer(user_data(services.erase(actor=policies.require_user(self.actor))))
