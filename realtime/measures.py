"""realtime, what a process measures for the rollups: how long acks and deliveries took, and how sockets ended.

Unlike `metrics`, which Prometheus reads and which end with the process, these are added to the database now and then.
"""

import time
from datetime import UTC, datetime
from uuid import UUID

from sessions_app.histogram import Buckets, bucket_of
from sessions_app.services.measures import ACK, DELIVERY, Key

_STAMP = '"timestamp":"'
Closes = dict[tuple[datetime, int], int]

_latencies: dict[Key, Buckets] = {}
_closes: Closes = {}


def _hour(now: float) -> datetime:
    return datetime.fromtimestamp(now - now % 3600, UTC)


def acked(session_id: UUID, seconds: float) -> None:
    """A message of this session was acknowledged so long after it came."""
    _add(Key(session_id, _hour(time.time()), ACK), seconds, 1)


def delivered(session_id: UUID, text: str, times: int) -> None:
    """A durable event, the `text` of its frame, was written to so many sockets. Its time is the one it was given in its
    transaction, so that COMMIT and the way over Redis are in it; between hosts, the difference of their clocks, too."""
    if times:
        now, begin = time.time(), text.rfind(_STAMP) + len(_STAMP)
        at = datetime.fromisoformat(text[begin : text.index('"', begin)])
        _add(Key(session_id, _hour(now), DELIVERY), now - at.timestamp(), times)


def closed(code: int) -> None:
    """A socket ended with this code."""
    key = (_hour(time.time()), code)
    _closes[key] = _closes.get(key, 0) + 1


def _add(key: Key, seconds: float, times: int) -> None:
    buckets, bucket = _latencies.setdefault(key, {}), bucket_of(seconds * 1000)
    buckets[bucket] = buckets.get(bucket, 0) + times


def take() -> tuple[dict[Key, Buckets], Closes]:
    """What was measured since the last time."""
    global _latencies, _closes  # noqa: PLW0603  one process, one of each
    found, _latencies, _closes = (_latencies, _closes), {}, {}
    return found


def put_back(latencies: dict[Key, Buckets], closes: Closes) -> None:
    """It could not be stored: it is for the next time."""
    for key, buckets in latencies.items():
        kept = _latencies.setdefault(key, {})
        for bucket, times in buckets.items():
            kept[bucket] = kept.get(bucket, 0) + times
    for close, times in closes.items():
        _closes[close] = _closes.get(close, 0) + times
