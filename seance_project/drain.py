"""seance_project: what is done between SIGTERM and the closing of the sockets.

The server calls `run()` while it still listens: sockets are told to come back, `/health/ready` says 503. Hooks are
registered where the application is put together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger("seance.drain")
Hook = Callable[[], Awaitable[None]]
_hooks: list[Hook] = []


def on_drain(hook: Hook) -> Hook:
    """Register an async function without arguments; usable as a decorator."""
    _hooks.append(hook)
    return hook


async def run(timeout: float) -> None:
    """Run all hooks together; one that fails or takes too long is logged and left behind."""
    if not _hooks:
        return
    tasks = [asyncio.ensure_future(hook()) for hook in _hooks]
    done, late = await asyncio.wait(tasks, timeout=timeout)
    for task in late:
        task.cancel()
    if late:
        log.warning("drain_timed_out", hooks=len(late))
    for task in done:
        if not task.cancelled() and (error := task.exception()):
            log.error("drain_failed", exc_info=error)
