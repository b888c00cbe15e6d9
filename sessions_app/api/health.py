"""sessions_app/api, the REST door: health, for probes. Plain views, off the ways that a sick database can block."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from msgspec import UNSET

from sessions_app import events, health
from sessions_app.api.envelope import JSON, encode
from sessions_app.api.refusals import wrong_method
from sessions_app.api.shapes import Alive, Health

NO_STORE = {"Cache-Control": "no-store"}


@csrf_exempt
async def overall(request: HttpRequest) -> HttpResponse:
    """What can be reached; 503 where the database cannot, or lacks migrations."""
    return await _answer(request)


@csrf_exempt
async def ready(request: HttpRequest) -> HttpResponse:
    """Whether new clients may be sent here: 503 while the server drains, too."""
    return await _answer(request, draining=health.draining)


@csrf_exempt
async def live(request: HttpRequest) -> HttpResponse:
    """The process answers: nothing is asked of anything else."""
    if request.method not in ("GET", "HEAD"):
        return wrong_method()
    return HttpResponse(encode(Alive("healthy", events.now())), JSON, headers=NO_STORE)


async def _answer(request: HttpRequest, *, draining: bool = False) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        return wrong_method()
    found = await health.look()
    well = found.is_fit and not draining
    body = Health(
        status="healthy" if well else "unhealthy",
        database=found.database,
        cache=found.cache,
        channel_layer=found.channel_layer,
        replica=found.replica or UNSET,
        timestamp=events.now(),
        reasons=(found.reasons | ({"server": "draining"} if draining else {})) or UNSET,
    )
    return HttpResponse(encode(body), JSON, 200 if well else 503, headers=NO_STORE)
