"""sessions_app/api, the REST door: guests, accounts, tokens, and oneself."""

from django.conf import settings
from django.http import HttpResponse
from msgspec import UNSET
from rest_framework.request import Request

from sessions_app import events, limits, policies
from sessions_app.api import cookies
from sessions_app.api.envelope import answer
from sessions_app.api.openapi import enveloped, operation
from sessions_app.api.shapes import Account, ResetSent, Revoked, UpdateMe, VerificationSent, VerifyInput
from sessions_app.api.signing import SIGNED_IN, TRANSPORT, Entrance, TokenDoor
from sessions_app.errors import Code, invalid
from sessions_app.inputs import (
    ChangePassword,
    Credentials,
    EmailInput,
    NewGuest,
    NewPassword,
    RefreshInput,
    Register,
    Upgrade,
    read,
)
from sessions_app.selectors.shapes import user_data
from sessions_app.services import accounts as services
from sessions_app.services.departures import erase

SENT = enveloped("VerificationSentAnswer", VerificationSent)
RESET = enveloped("ResetSentAnswer", ResetSent)
REVOKED = enveloped("RevokedAnswer", Revoked)
ME = enveloped("UserAnswer", events.UserData)
ACCOUNT = enveloped("AccountAnswer", Account)


def _account(email: str) -> str:
    """What an address is counted as, whether there is an account or not, so that being limited tells nothing."""
    return email.strip().lower()


class Auth(Entrance):
    """`/api/auth/…`: how one comes by tokens, and rid of them."""

    @operation(
        "createGuest", "auth", "Come in as a guest", answers={201: SIGNED_IN}, body=NewGuest, errors=[Code.FORBIDDEN],
        parameters=[TRANSPORT],
    )  # fmt: skip
    def guest(self, request: Request) -> HttpResponse:
        """A person without an account, while the server lets guests in."""
        return self.signed_in(services.enter_as_guest(name=read(NewGuest, request.data).name), status=201)

    @operation(
        "register", "auth", "Make an account", answers={201: SIGNED_IN, 202: SENT}, body=Register,
        parameters=[TRANSPORT], errors=[Code.FORBIDDEN],
    )  # fmt: skip
    def register(self, request: Request) -> HttpResponse:
        """201 with tokens; where addresses are verified always the same 202, and a mail tells the owner what to do."""
        values = read(Register, request.data)
        given = {"email": values.email, "password": values.password, "name": values.name}
        if settings.SEANCE.email_verification:
            limits.hit("mails", _account(values.email))
            services.begin_registration(**given)
            return answer(VerificationSent(), status=202)
        return self.signed_in(services.register(**given), status=201)

    @operation(
        "verifyAddress", "auth", "Finish making an account", answers={200: SIGNED_IN}, body=VerifyInput,
        parameters=[TRANSPORT], errors=[Code.FORBIDDEN],
    )  # fmt: skip
    def verify(self, request: Request) -> HttpResponse:
        """With the token of the mail; it is good for a day, and once."""
        return self.signed_in(services.finish_registration(token=read(VerifyInput, request.data).token))

    @operation(
        "logIn", "auth", "Come in with an account", answers={200: SIGNED_IN}, body=Credentials,
        parameters=[TRANSPORT], errors=[Code.FORBIDDEN],
    )  # fmt: skip
    def token(self, request: Request) -> HttpResponse:
        """The same 401 for an unknown address and a wrong password."""
        values = read(Credentials, request.data)
        account = _account(values.email)
        limits.hit("account-logins", account)
        user = services.login(email=values.email, password=values.password)
        limits.forget("account-logins", account)
        return self.signed_in(user)

    @operation(
        "requestPasswordReset", "auth", "Ask for a new password", answers={202: RESET}, body=EmailInput,
    )  # fmt: skip
    def reset(self, request: Request) -> HttpResponse:
        """Always the same 202, and a mail to the address, which tells its owner what to do."""
        email = read(EmailInput, request.data).email
        limits.hit("mails", _account(email))
        services.begin_reset(email=email)
        return answer(ResetSent(), status=202)

    @operation(
        "resetPassword", "auth", "Set a new password", answers={200: SIGNED_IN}, body=NewPassword,
        parameters=[TRANSPORT], errors=[Code.FORBIDDEN],
    )  # fmt: skip
    def set_password(self, request: Request) -> HttpResponse:
        """With the token of the mail; it is good for an hour, and once. Whoever came in before must come in anew."""
        values = read(NewPassword, request.data)
        return self.signed_in(services.finish_reset(token=values.token, password=values.password))

    @operation(
        "refreshToken", "auth", "Get the next tokens", answers={200: SIGNED_IN}, body=RefreshInput,
        parameters=[TRANSPORT], errors=[Code.FORBIDDEN],
    )  # fmt: skip
    def refresh(self, request: Request) -> HttpResponse:
        """A refresh token works once; used again it revokes all that came of it."""
        meta = request.META
        # Tabs share the connections of their browser, and everybody those of a proxy.
        is_shared = settings.SEANCE.trusted_proxy_count > 0 or "HTTP_ORIGIN" in meta
        address, port = meta.get("REMOTE_ADDR"), meta.get("REMOTE_PORT")
        # A Unix socket has neither: all who come through it would look like one.
        wire = f"{address} {port}" if address and port and not is_shared else ""
        user, tokens = services.refresh_tokens(
            self._refresh(request), arrived_at=meta.get("seance.arrived_at"), wire=wire
        )
        return self.signed_in(user, tokens)

    @operation(
        "revokeToken", "auth", "Log out", answers={200: REVOKED}, body=RefreshInput, parameters=[TRANSPORT],
        errors=[Code.FORBIDDEN],
    )  # fmt: skip
    def revoke(self, request: Request) -> HttpResponse:
        """The refresh token, its family and their access tokens; an unknown one is as good as revoked. Sockets of the
        person are closed with 4001."""
        services.revoke(self._refresh(request))
        told = answer(Revoked())
        return cookies.clear(told) if self.by_cookie else told

    def _refresh(self, request: Request) -> str:
        """The refresh token of the body, or of the cookie where that was asked for and the body has none."""
        given = read(RefreshInput, request.data).refresh
        if given is not UNSET:
            return given
        if not self.by_cookie:
            raise invalid(refresh="This field is required.")
        return cookies.refresh_of(request)


class Me(TokenDoor):
    """`/api/auth/me`, and what a person does to the own account."""

    @operation("getMe", "auth", "Read oneself", answers={200: ME}, caller="known")
    def retrieve(self, request: Request) -> HttpResponse:
        """Who the token says one is."""
        return answer(user_data(policies.require_user(self.actor)))

    @operation(
        "updateMe", "auth", "Change oneself", answers={200: ME}, body=UpdateMe, caller="known", errors=[Code.FORBIDDEN]
    )
    def partial_update(self, request: Request) -> HttpResponse:
        """Messages that were said keep the name of that moment; a seat takes the new one with the next joining."""
        user, values = policies.require_user(self.actor), read(UpdateMe, request.data)
        if values.name is not UNSET:
            user = services.rename(actor=user, name=values.name)
        return answer(user_data(user))

    @operation("eraseMe", "auth", "Erase oneself", answers={200: ME}, caller="known", errors=[Code.FORBIDDEN])
    def destroy(self, request: Request) -> HttpResponse:
        """What is left is a nameless shell: see `services.departures.erase`. There is no way back."""
        return cookies.clear(answer(user_data(erase(actor=policies.require_user(self.actor)))))

    @operation("getAccount", "auth", "Read what one comes in with", answers={200: ACCOUNT}, caller="known")
    def account(self, request: Request) -> HttpResponse:
        """The address, whether there is a password, and the OAuth providers. A guest has nothing of it."""
        user = policies.require_user(self.actor)
        providers = list(user.identities.order_by("provider").values_list("provider", flat=True))
        return answer(Account(user.email, bool(user.password) and user.has_usable_password(), providers))

    @operation(
        "upgradeGuest", "auth", "Make oneself, a guest, an account", answers={200: SIGNED_IN, 202: SENT}, body=Upgrade,
        caller="known", errors=[Code.FORBIDDEN], parameters=[TRANSPORT],
    )  # fmt: skip
    def upgrade(self, request: Request) -> HttpResponse:
        """Id, seats, sessions and messages stay. Where addresses are verified always the same 202, and a mail."""
        user, values = policies.require_user(self.actor), read(Upgrade, request.data)
        if settings.SEANCE.email_verification:
            limits.hit("mails", _account(values.email))
            services.begin_upgrade(actor=user, email=values.email, password=values.password, name=values.name)
            return answer(VerificationSent(), status=202)
        services.upgrade(actor=user, email=values.email, password=values.password, name=values.name)
        return self.signed_in(user)

    @operation(
        "changePassword", "auth", "Change the password", answers={200: SIGNED_IN}, body=ChangePassword,
        caller="known", errors=[Code.FORBIDDEN], parameters=[TRANSPORT],
    )  # fmt: skip
    def password(self, request: Request) -> HttpResponse:
        """Whoever came in with the old one must come in anew; the answer has tokens that are good."""
        user, values = policies.require_user(self.actor), read(ChangePassword, request.data)
        limits.hit("account-logins", _account(user.email or ""))
        services.change_password(actor=user, current=values.current_password, password=values.password)
        return self.signed_in(user)
