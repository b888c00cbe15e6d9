"""sessions_app, the kitchen: durations counted in buckets that can be added up, so that percentiles can be asked of any
sum of hours, sessions or processes.

Bucket `i` holds the durations in (GROWTH^(i-1), GROWTH^i] milliseconds. A percentile is told as the middle of its
bucket, at most ERROR (4.8 %) from the duration that has exactly this rank. Source: Masson, Rim and Lee, "DDSketch",
VLDB 2019, with a fixed range instead of collapsing buckets.
"""

import math
from collections.abc import Iterable, Mapping

Buckets = dict[int, int]  # bucket -> how many
Stored = Mapping[str, int]  # the same as JSON has it

GROWTH = 1.1
ERROR = (GROWTH - 1) / (GROWTH + 1)
SHORTEST, LONGEST = 0.01, 86_400_000.0  # milliseconds: what is beyond counts as these
_SCALE = 1 / math.log(GROWTH)


def bucket_of(ms: float) -> int:
    """The bucket of a duration in milliseconds."""
    return math.ceil(math.log(min(max(ms, SHORTEST), LONGEST)) * _SCALE - 1e-9)


def count(durations: Iterable[float]) -> Buckets:
    """Durations in milliseconds, counted."""
    found: Buckets = {}
    for ms in durations:
        bucket = bucket_of(ms)
        found[bucket] = found.get(bucket, 0) + 1
    return found


def merged(several: Iterable[Mapping[int, int] | Stored]) -> Buckets:
    """The sum of several."""
    total: Buckets = {}
    for one in several:
        for bucket, times in one.items():
            total[int(bucket)] = total.get(int(bucket), 0) + times
    return total


def stored(buckets: Mapping[int, int]) -> dict[str, int]:
    """As JSON has it."""
    return {str(bucket): buckets[bucket] for bucket in sorted(buckets)}


def percentile(buckets: Mapping[int, int] | Stored, share: float) -> float | None:
    """The milliseconds that a `share` (0–1) of all do not exceed, within ERROR; None where there is none."""
    numbered = {int(bucket): times for bucket, times in buckets.items()}
    rank = max(1, math.ceil(share * sum(numbered.values())))
    for bucket in sorted(numbered):
        rank -= numbered[bucket]
        if rank <= 0:
            return float(2 * GROWTH**bucket / (GROWTH + 1))
    return None
