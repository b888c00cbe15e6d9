"""sessions_app/api, the REST door: the body, one way in: JSON in UTF-8, of bounded size."""

import io
from collections.abc import Mapping
from typing import IO, Any

import msgspec
from django.conf import settings
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from sessions_app.errors import invalid

_decode = msgspec.json.Decoder().decode


class StrictJSONParser(BaseParser):
    """msgspec refuses what the standard library lets pass: NaN, lone surrogates, bytes that are no UTF-8."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The decoded body; an empty one is an empty object. Raises `VALIDATION_ERROR`."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise invalid(non_field_errors=f"The body has more than {limit} bytes.")
        if not raw:
            return {}
        try:
            return _decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise invalid(non_field_errors="The body is not valid JSON.") from None
        except RecursionError:
            raise invalid(non_field_errors="The body is nested too deeply.") from None


class BodyRequest(Request):
    """DRF takes a body of unannounced length (`Transfer-Encoding: chunked`) for none; over ASGI it is there."""

    def _load_stream(self) -> None:
        super()._load_stream()  # type: ignore[misc]  # the stubs leave it out
        inner: Any = self._request
        if self._stream is None and "CONTENT_LENGTH" not in inner.META and hasattr(inner, "scope"):
            self._stream: Any = io.BytesIO(inner.body) if inner._read_started else inner
