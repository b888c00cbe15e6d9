"""sessions_app, the one door out: the channel layer over Redis, with what one process full of sockets needs of it.

channels_redis's pub/sub layer sends one message a round trip; `group_send_many` sends any number in one. While Redis is
away it says so once, and its memberships come back with the connection, to whoever is the primary then. With several
servers each group is at one of them, by its name; all processes must be given the same ones in the same order.
"""

import asyncio
from typing import Any

import structlog
from channels_redis.pubsub import RedisPubSubChannelLayer, RedisPubSubLoopLayer, RedisSingleShardConnection
from channels_redis.utils import _wrap_close
from redis.exceptions import RedisError

from sessions_app import redis_links

log = structlog.get_logger(__name__)

RETRY_SECONDS = 0.5
# A subscriber who hears nothing asks whether the other end is still there, and goes where it gets no answer: a machine
# that was cut off closes no connection.
ASK_SECONDS, GIVE_UP_SECONDS = 3, 2


class Shard(RedisSingleShardConnection):
    """One Redis server, or the one that its Sentinels name."""

    _redis: Any
    _pubsub: Any

    def _ensure_redis(self) -> None:
        if self._pubsub is None:
            link = redis_links.async_client(self.host, health_check_interval=ASK_SECONDS)
            self._redis, self._pubsub = link, link.pubsub()

    async def publish_many(self, messages: list[tuple[str, bytes]]) -> None:
        """Publish in one round trip; raises what Redis raises."""
        async with self._lock:
            self._ensure_redis()
            pipe = self._redis.pipeline(transaction=False)
        for channel, message in messages:
            pipe.publish(channel, message)
        await pipe.execute()

    async def _do_receiving(self) -> None:
        is_away, server = False, self.channel_layer.number_of(self)
        while True:
            try:
                if self._pubsub is None or not self._pubsub.subscribed:
                    await asyncio.sleep(0.05)
                    continue
                async with self._lock:  # or a subscriber would make it anew at the same time
                    if self._pubsub.connection is None or not self._pubsub.connection.is_connected:
                        # Else redis-py would do it by itself, to where it went before: Sentinels were not asked.
                        await self._pubsub.connect()
                message = await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0)
                await self._leave_the_silent()
                if is_away:
                    is_away = False
                    log.info("redis_back", server=server)
                self._receive_message(message)
            except Exception as error:  # noqa: BLE001  whatever it is, nobody else would ever read again
                if not is_away:
                    is_away = True
                    reason = redis_links.reason(error)
                    log.warning("redis_away", error=type(error).__name__, reason=reason, server=server)
                if self._pubsub.connection is not None and not isinstance(error, RedisError | OSError):
                    await self._pubsub.connection.disconnect(nowait=True)  # nobody knows what of it was read
                await asyncio.sleep(RETRY_SECONDS)

    async def _leave_the_silent(self) -> None:
        """Close a connection whose other end has not even answered to being asked; raises `TimeoutError`."""
        connection = self._pubsub.connection
        if asyncio.get_running_loop().time() > connection.next_health_check + GIVE_UP_SECONDS:
            await connection.disconnect(nowait=True)
            raise TimeoutError


class LoopLayer(RedisPubSubLoopLayer):
    """The layer of one event loop; `hosts` are URLs, each as in REDIS_URL."""

    def __init__(self, hosts: list[str], **options: Any) -> None:
        super().__init__(hosts=hosts, **options)
        self._shards = [Shard(url, self) for url in hosts]

    def number_of(self, shard: Shard) -> int:
        """Which of the servers it is, from 1."""
        return self._shards.index(shard) + 1

    def lane(self, group: str) -> int:
        """At which of the servers a group is."""
        return self._shards.index(self._get_shard(self._get_group_channel_name(group)))

    async def group_send_many(self, messages: dict[str, dict[str, Any]]) -> None:
        """Send one message to each group, in one round trip to each Redis server."""
        by_shard: dict[Shard, list[tuple[str, bytes]]] = {}
        for group, message in messages.items():
            channel = self._get_group_channel_name(group)
            body = self.channel_layer.serialize(message)
            by_shard.setdefault(self._get_shard(channel), []).append((channel, body))
        sent = (shard.publish_many(batch) for shard, batch in by_shard.items())
        # One that is away keeps nothing from the others.
        failed = [one for one in await asyncio.gather(*sent, return_exceptions=True) if one is not None]
        if failed:
            raise failed[0]


class PubSubLayer(RedisPubSubChannelLayer):
    """`channels_redis.pubsub.RedisPubSubChannelLayer`, its loop layer replaced by ours."""

    @property
    def lanes(self) -> int:
        """How many servers there are."""
        return len(self._kwargs["hosts"])

    def _get_layer(self) -> LoopLayer:
        loop = asyncio.get_running_loop()
        if loop not in self._layers:
            self._layers[loop] = LoopLayer(*self._args, **self._kwargs, channel_layer=self)
            _wrap_close(self, loop)
        layer: LoopLayer = self._layers[loop]
        return layer
