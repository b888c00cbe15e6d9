"""sessions_app/api, the REST door: what all its views share: DRF's cycle without the choices nobody has."""

from typing import Any, ClassVar, cast

from django.http import HttpResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotAcceptable
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from sessions_app.api import throttles
from sessions_app.api.authentication import TokenAuthentication
from sessions_app.api.envelope import JSON, answer
from sessions_app.api.openapi import DoorSchema
from sessions_app.api.parsers import StrictJSONParser
from sessions_app.models import User

_PARSERS: list[BaseParser] = [StrictJSONParser()]
_AUTHENTICATORS: list[BaseAuthentication] = [TokenAuthentication()]


class Door(ViewSet):
    """A view set that speaks the envelope. There is one form of answer, so of negotiation only the 406 is left.

    `produces` are the media types that the answers can have; an `Accept` header that excludes all of them is refused.
    """

    parser_classes = (StrictJSONParser,)
    schema = DoorSchema()
    produces: ClassVar[tuple[str, ...]] = (JSON,)

    @property
    def actor(self) -> User | None:
        """Who calls; None without a token."""
        return cast(User | None, self.request.user)

    # The parsers and authenticators have no state, so one of each serves all requests.
    def get_parsers(self) -> list[BaseParser]:
        """DRF's hook."""
        return _PARSERS

    def get_authenticators(self) -> list[BaseAuthentication]:
        """DRF's hook."""
        return _AUTHENTICATORS

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Before the method runs. `check_throttles` is the one place where requests are counted."""
        accept: str = request.META.get("HTTP_ACCEPT", "*/*")
        if accept not in ("*/*", JSON) and not any(_accepts(accept, kind) for kind in self.produces):
            raise NotAcceptable
        self.perform_authentication(request)
        self.check_throttles(request)

    def check_throttles(self, request: Request) -> None:
        """Count the request by what it asks for; raises `RATE_LIMITED`."""
        throttles.check(request, type(self).__name__, self.action or "", self.actor)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """What can be done here; the same stands in `Allow`."""
        return answer({"methods": self.allowed_methods})

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """DRF's hook; no answer may be kept by a cache, since it depends on who asks."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if "Cache-Control" not in response:
            response["Cache-Control"] = "no-store"
        return response


def _accepts(header: str, kind: str) -> bool:
    """Whether an `Accept` header lets a media type through: its most precise range decides, and q=0 is a no."""
    main = kind.partition("/")[0]
    verdicts: dict[str, bool] = {}
    for part in header.split(","):
        wanted, *parameters = (piece.strip().lower() for piece in part.split(";"))
        refused = any(item.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") for item in parameters)
        verdicts[wanted] = not refused
    for wanted in (kind, f"{main}/*", "*/*"):
        if wanted in verdicts:
            return verdicts[wanted]
    return False
