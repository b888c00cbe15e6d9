"""sessions_app, the terminal client: whether to come back after a close, and when.

Source: docs/protocol.md, section 2.5. The range of the code decides, so codes that are yet unknown are treated rightly.
"""

import random
from collections.abc import Callable

LONGEST, SHORTEST = 30.0, 0.5
# 1000 is a goodbye; the others say that this client and that server do not speak the same language.
_FINAL_BELOW_4000 = frozenset({1000, 1002, 1003, 1007, 1008, 1010})

REASONS = {
    1006: "the connection broke",
    1012: "the server restarts",
    4000: "the server met an error",
    4001: "the token expired",
    4002: "we read too slowly",
    4003: "we were silent for too long",
    4005: "too many requests",
    4006: "the server goes away",
    4008: "every seat is taken",
    4500: "a valid access token is needed",
    4501: "we may not come in",
    4502: "the server did not understand us",
    4503: "the host sent us away",
    4505: "the session has ended",
    4506: "there is no such session",
    4507: "the same user opened too many sockets",
    4510: "we did not join in time",
    4511: "the server speaks another version",
}


def reason(code: int) -> str:
    """What a close code says, in words."""
    return REASONS.get(code, f"closed with {code}")


def comes_back(code: int) -> bool:
    """Whether a client shall connect again."""
    return not (4500 <= code <= 4999 or code in _FINAL_BELOW_4000)


def delay(
    attempt: int, reconnect_after_ms: int | None = None, *, uniform: Callable[[float, float], float] = random.uniform
) -> float:
    """Seconds to wait before attempt 1, 2, …: what the server asked for, else full jitter under a doubling ceiling."""
    if reconnect_after_ms is not None and attempt <= 1:
        return min(reconnect_after_ms / 1000, LONGEST)
    return uniform(SHORTEST, min(LONGEST, SHORTEST * 2 ** min(attempt, 10)))
