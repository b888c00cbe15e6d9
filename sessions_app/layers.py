"""sessions_app, the one door out: the channel layer over Redis, with what one process full of sockets needs of it.

channels_redis's pub/sub layer sends one message a round trip; `group_send_many` sends any number in one. While Redis is
away it says so once, and its memberships come back with the connection.
"""

import asyncio
from typing import Any

import structlog
from channels_redis.pubsub import RedisPubSubChannelLayer, RedisPubSubLoopLayer, RedisSingleShardConnection
from channels_redis.utils import _wrap_close, decode_hosts
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

RETRY_SECONDS = 0.5


class Shard(RedisSingleShardConnection):
    """One Redis server."""

    async def publish_many(self, messages: list[tuple[str, bytes]]) -> None:
        """Publish in one round trip; raises what Redis raises."""
        async with self._lock:
            self._ensure_redis()
            pipe = self._redis.pipeline(transaction=False)
        for channel, message in messages:
            pipe.publish(channel, message)
        await pipe.execute()

    async def _do_receiving(self) -> None:
        is_away = False
        while True:
            try:
                if self._pubsub is None or not self._pubsub.subscribed:
                    await asyncio.sleep(0.05)
                    continue
                message = await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0)
                if is_away:
                    is_away = False
                    log.info("redis_back")
                self._receive_message(message)
            except (TimeoutError, RedisError, OSError) as error:
                if not is_away:
                    is_away = True
                    log.warning("redis_away", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)


class LoopLayer(RedisPubSubLoopLayer):
    """The layer of one event loop."""

    def __init__(self, hosts: Any = None, **options: Any) -> None:
        super().__init__(hosts=hosts, **options)
        self._shards = [Shard(host, self) for host in decode_hosts(hosts)]

    async def group_send_many(self, messages: dict[str, dict[str, Any]]) -> None:
        """Send one message to each group, in one round trip to each Redis server."""
        by_shard: dict[Shard, list[tuple[str, bytes]]] = {}
        for group, message in messages.items():
            channel = self._get_group_channel_name(group)
            body = self.channel_layer.serialize(message)
            by_shard.setdefault(self._get_shard(channel), []).append((channel, body))
        for shard, batch in by_shard.items():
            await shard.publish_many(batch)


class PubSubLayer(RedisPubSubChannelLayer):
    """`channels_redis.pubsub.RedisPubSubChannelLayer`, its loop layer replaced by ours."""

    def _get_layer(self) -> LoopLayer:
        loop = asyncio.get_running_loop()
        if loop not in self._layers:
            self._layers[loop] = LoopLayer(*self._args, **self._kwargs, channel_layer=self)
            _wrap_close(self, loop)
        layer: LoopLayer = self._layers[loop]
        return layer
