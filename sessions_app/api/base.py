"""sessions_app/api, the REST door: what all its views share: DRF's cycle without the choices nobody has."""

from typing import Any, ClassVar, cast

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotAcceptable
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from sessions_app.api import throttles
from sessions_app.api.authentication import TokenAuthentication
from sessions_app.api.envelope import JSON, EnvelopeRenderer, answer
from sessions_app.api.openapi import DoorSchema
from sessions_app.api.parsers import BodyRequest, StrictJSONParser
from sessions_app.models import User

_RENDERER = EnvelopeRenderer()
_PARSERS: list[BaseParser] = [StrictJSONParser()]
_AUTHENTICATORS: list[BaseAuthentication] = [TokenAuthentication()]


class Door(ViewSet):
    """A view set that speaks the envelope. There is one form of answer, so negotiation only says yes or 406.

    `produces` are the media types that the answers can have; an `Accept` header that excludes all of them is refused.
    """

    renderer_classes = (EnvelopeRenderer,)
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

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """DRF's hook; sets `action`, as a view set does."""
        actions: dict[str, str] = self.action_map or {}
        self.action = "metadata" if request.method == "OPTIONS" else actions.get((request.method or "").lower(), "")
        return BodyRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context={"view": self, "args": args, "kwargs": kwargs},
        )

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        """The one renderer; raises `NotAcceptable`."""
        accept: str = request.META.get("HTTP_ACCEPT", "*/*")
        if not force and accept not in ("*/*", JSON) and not any(_accepts(accept, kind) for kind in self.produces):
            raise NotAcceptable
        return _RENDERER, JSON

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Before the method runs. `check_throttles` is the one place where requests are counted."""
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)
        self.perform_authentication(request)
        self.check_throttles(request)

    def check_throttles(self, request: Request) -> None:
        """Count the request by what it asks for; raises `RATE_LIMITED`."""
        throttles.check(request, type(self).__name__, self.action or "", self.actor)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
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
