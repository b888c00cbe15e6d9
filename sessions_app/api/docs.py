"""sessions_app/api, the REST door: the OpenAPI document, and two readers of it that load nothing from elsewhere.

The pages work under the strict Content-Security-Policy: their scripts are files, and the one that makes styles while
it runs (Redoc) is given a nonce for them.
"""

from functools import lru_cache

import msgspec
from csp.constants import NONCE, SELF
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.settings import patched_settings

from sessions_app.api.envelope import JSON
from sessions_app.api.openapi import DOCUMENT
from sessions_app.api.refusals import safe_only


@lru_cache(maxsize=1)
def document() -> bytes:
    """The document, made once: it depends on nothing but the code."""
    with patched_settings(DOCUMENT):
        schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    text: bytes = OpenApiJsonRenderer().render(schema, renderer_context={})
    return msgspec.json.format(text, indent=0)


@safe_only
def openapi(request: HttpRequest) -> HttpResponse:
    """`/openapi.json`."""
    return HttpResponse(document(), JSON)


@safe_only
def swagger(request: HttpRequest) -> HttpResponse:
    """`/docs`: read and try."""
    return render(request, "sessions_app/swagger.html")


@safe_only
@csp_update({"style-src": [NONCE], "worker-src": [SELF, "blob:"]})
def redoc(request: HttpRequest) -> HttpResponse:
    """`/redoc`: read. Its search runs in a worker that it makes from a blob."""
    return render(request, "sessions_app/redoc.html", {"nonce": str(request.csp_nonce)})  # type: ignore[attr-defined]
