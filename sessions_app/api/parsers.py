"""sessions_app/api, the REST door: the body, one way in: JSON in UTF-8, of bounded size."""

from collections.abc import Mapping
from typing import IO, Any

import msgspec
from django.conf import settings
from rest_framework.parsers import BaseParser

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
