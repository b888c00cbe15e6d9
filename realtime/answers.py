"""realtime, what stands between a turn and the models: the chain of providers, their budgets, and the cache.

A turn asks for a stream and gets one. A network provider is called only under a reservation; an answer that is known
is given again without any; and when nothing else may or can answer, the oracle does.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import structlog
from django.conf import settings

from realtime import metrics
from realtime.bridge import Bridge
from sessions_app import redis_links
from sessions_app.errors import SeanceError
from sessions_app.services import budget
from sessions_app.services.turns import Claim
from sessions_app.spirits.base import (
    Finish,
    ProviderError,
    SpiritProvider,
    SpiritRequest,
    StreamItem,
    Unavailable,
    Usage,
)
from sessions_app.spirits.cache import AnswerCache, cache_key
from sessions_app.spirits.layouts import layout_for
from sessions_app.spirits.prompts import REVISION, build_messages
from sessions_app.spirits.redis_store import RedisLocks, RedisStore
from sessions_app.spirits.registry import ProviderSettings, build_providers
from sessions_app.spirits.service import generate_response

log = structlog.get_logger(__name__)

TOKENS_OF_AN_ANSWER = 160  # what is reserved beside the prompt; the true number is known afterwards


class OverBudget(ProviderError):
    """One of the budgets is used up: the call is not made."""

    default_code = "budget"


def provider_settings() -> dict[str, ProviderSettings]:
    """What the environment says of each kind of provider."""
    env = settings.SEANCE
    common: dict[str, Any] = {
        # Below the total in any case: a breaker learns nothing where that cuts the call off.
        "first_token_s": min(env.spirit_first_token_seconds, 0.9 * env.spirit_total_seconds),
        "total_s": env.spirit_total_seconds,
        "prompt_price": env.spirit_prompt_price,
        "completion_price": env.spirit_completion_price,
    }
    first = ProviderSettings(base_url=env.spirit_base_url, api_key=env.spirit_api_key, model=env.spirit_model, **common)
    second = ProviderSettings(
        base_url=env.spirit_secondary_base_url,
        api_key=env.spirit_secondary_api_key,
        model=env.spirit_secondary_model,
        **common,
    )
    return {"openai_compat": first, "secondary": second}


class Answers:
    """Everything that answers for one process."""

    def __init__(self, bridge: Bridge) -> None:
        env = settings.SEANCE
        self._bridge = bridge
        self._providers = build_providers(
            env.spirit_providers, allow_network=env.spirit_allow_network, settings=provider_settings()
        )
        self._oracle = self._providers[-1]
        self._sampling = f"{env.spirit_base_url} {env.spirit_model} {env.spirit_secondary_model}"
        self._redis: Any = None
        self._settling: set[asyncio.Task[None]] = set()
        self._cache: AnswerCache | None = None
        if len(self._providers) > 1 and env.spirit_cache_seconds:
            self._cache = self._make_cache(env.redis_url, env.spirit_cache_seconds)

    def _make_cache(self, redis_url: str, ttl_s: float) -> AnswerCache:
        if not redis_url:
            return AnswerCache(ttl_s=ttl_s)
        self._redis = redis_links.async_client(redis_url)
        return AnswerCache(RedisStore(self._redis), RedisLocks(self._redis), ttl_s)

    def stream(self, claim: Claim, request: SpiritRequest) -> AsyncGenerator[StreamItem, None]:
        """The answer to a turn, as it comes; close it to stop. Raises `ProviderError` where nobody answered."""
        env = settings.SEANCE
        layout = layout_for(request.persona.locale)
        if claim.is_last_try or len(self._providers) == 1:
            degraded = "provider_down" if len(self._providers) > 1 else None
            return generate_response(request, [self._oracle], layout=layout, degraded=degraded)  # type: ignore[arg-type]
        chain = [*(Metered(one, claim, self._bridge, self._settling) for one in self._providers[:-1]), self._oracle]

        def make(seconds: float) -> AsyncGenerator[StreamItem, None]:
            return generate_response(request, chain, layout=layout, total_s=seconds)

        if self._cache is None:
            return make(env.spirit_total_seconds)
        key = cache_key(request, revision=REVISION, sampling=self._sampling, layout=layout)
        return self._cache.answer(key, make, env.spirit_total_seconds)

    def report(self) -> None:
        """Hand over what the cache has counted."""
        if self._cache is not None:
            counts, self._cache.counts = self._cache.counts, type(self._cache.counts)()
            for what, count in counts.items():
                metrics.SPIRIT_CACHE.labels(what).inc(count)

    async def aclose(self) -> None:
        """See the ledger written, and free every connection."""
        await asyncio.gather(*self._settling, return_exceptions=True)
        for provider in self._providers:
            await provider.aclose()
        if self._redis is not None:
            await self._redis.aclose()


class Metered:
    """A provider that is only called while there is budget: reserved before, settled after."""

    def __init__(
        self, provider: SpiritProvider, claim: Claim, bridge: Bridge, settling: "set[asyncio.Task[None]]"
    ) -> None:
        self._provider, self._claim, self._bridge, self._settling = provider, claim, bridge, settling

    @property
    def name(self) -> str:
        """The provider's own."""
        return self._provider.name

    @property
    def model(self) -> str:
        """The provider's own."""
        return self._provider.model

    async def stream(self, request: SpiritRequest) -> AsyncGenerator[StreamItem, None]:
        """The provider's stream; raises `OverBudget` where it may not be called."""
        words = sum(len(message["content"]) for message in build_messages(request))
        spender = budget.Spender(self._claim.session_id, self._claim.asker_id, self.name)
        try:
            reserved = await self._bridge.call(budget.reserve, spender, tokens=words // 4 + TOKENS_OF_AN_ANSWER)
        except SeanceError as error:
            raise Unavailable("the ledger is away", code="ledger") from error
        if reserved is None:
            raise OverBudget
        used: Usage | None = None
        was_called = True
        try:
            async with aclosing(self._provider.stream(request)) as stream:
                async for item in stream:
                    used = item if isinstance(item, Usage) else used
                    yield item
                    if isinstance(item, Finish):
                        return
        except ProviderError as error:
            was_called = error.code != "breaker_open"
            raise
        finally:
            # In a task of its own: whoever cancels this answer does not wait for the ledger.
            task = asyncio.get_running_loop().create_task(self._settle(reserved, used, was_called=was_called))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)

    async def _settle(self, reserved: budget.Reservation, used: Usage | None, *, was_called: bool) -> None:
        if used is not None:
            metrics.SPIRIT_TOKENS.labels(self.name, "prompt").inc(used.prompt_tokens)
            metrics.SPIRIT_TOKENS.labels(self.name, "completion").inc(used.completion_tokens)
            metrics.SPIRIT_COST.labels(self.name).inc(used.cost_microcents)
        try:
            await self._bridge.call(budget.settle, reserved, used, was_called=was_called)
        except SeanceError as error:  # the reservation runs out, and is given back
            log.warning("budget_not_settled", code=error.code)

    async def probe(self) -> None:
        """The provider's own."""
        await self._provider.probe()

    async def aclose(self) -> None:
        """Its connections are the process's, not this answer's."""
