"""seance_project, the doctor: Redis: whether it answers, carries messages, and lets a busy process have its backlog."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any

from redis.exceptions import NoPermissionError, RedisError

from seance_project.doctor.findings import Finding, ok, warning, wrong
from seance_project.env import Env
from sessions_app import redis_links
from sessions_app.redis_url import Address, parse

SECONDS = 2.0
MOST_SECONDS_DOWN = 10  # until Sentinels begin to look for another primary
WORDS = {
    "wrong_password": ("does not let us in", "Set user and password in REDIS_URL right."),
    "no_permission": ("lets us in and forbids what is needed", "Give the user the rules of docs/operations.md."),
    "certificate_expired": ("has a certificate that has expired", "Renew it, and restart Redis or reload its TLS."),
    "certificate_of_another_host": ("has the certificate of another host", "Name the host that its certificate names."),
    "certificate_not_trusted": ("has a certificate that nobody vouches for", "Set ssl_ca_certs in REDIS_URL."),
    "certificate_required": ("wants to see a certificate of ours", "Set ssl_certfile and ssl_keyfile in REDIS_URL."),
    "no_tls": ("does not speak TLS there", "Use redis:// or sentinel://, or its TLS port."),
    "no_primary": ("has no primary that its Sentinels agree on", "Look at the Sentinels, and the service's name."),
    "read_only": ("is a replica", "Connect to the primary, or to the Sentinels by sentinel://."),
    "full": ("takes no more, its memory is full", "Raise maxmemory, or set maxmemory-policy volatile-lru."),
    "loading": ("still reads its data", "Wait; it needs none of it."),
    "timeout": ("does not answer in time", "Look at its load, at firewalls on the way, and whether it speaks TLS."),
    "unreachable": ("cannot be reached", "Start Redis, or set REDIS_URL right."),
}
OLDEST = (6, 2)
# Of one subscriber, in bytes: what Redis keeps for a process that is busy, before it cuts it off. Redis' own default.
HARD, SOFT = 32 << 20, 8 << 20
SLOW_MS = 20
CLIENTS_PER_PROCESS = 50


def redis(env: Env) -> Iterator[Finding]:
    """Redis: between processes."""
    if not env.redis_url:
        if env.is_production:
            yield warning("Redis", "is not set: there can be one process only", "Set REDIS_URL for a second one.")
        return
    yield from _server(env.redis_url)
    events = env.redis_pubsub_urls.split()
    for number, url in enumerate(events, 1):
        if url != env.redis_url:
            for finding in _server(url):
                remedy = finding.remedy.replace("REDIS_URL", "REDIS_PUBSUB_URLS")
                yield finding._replace(topic=f"{finding.topic}, events {number} of {len(events)}", remedy=remedy)


def _server(url: str) -> Iterator[Finding]:
    """One server, or the one that its Sentinels name."""
    address = parse(url)
    if address.service:
        yield from _sentinels(address)
    options: dict[str, Any] = {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS, "decode_responses": True}
    link = redis_links.client(url, **options)
    try:
        link.ping()
    except (RedisError, OSError) as error:
        yield wrong("Redis", *WORDS[redis_links.reason(error)])
        return
    with link:
        for check in (_version, _limits, _memory, _delivery):
            try:
                yield from check(link)
            except NoPermissionError as error:
                yield warning(
                    "Redis", f"does not tell everything: {error}", "Allow INFO, CONFIG GET, PUBLISH, SUBSCRIBE."
                )


def _sentinels(address: Address) -> Iterator[Finding]:
    """Each by itself: one that does not answer, or knows too few others, is missed only when the primary is lost."""
    primaries, count = set(), len(address.hosts)
    if count < 3:
        yield warning("Sentinels", f"are {count}: less than 3 cannot outvote one", "Name at least 3 in REDIS_URL.")
    for host, port in address.hosts:
        alone = Address(((host, port),), "", address.sentinel_options, {})
        try:
            with redis_links.connect(alone, socket_timeout=SECONDS, decode_responses=True) as link:
                known = link.sentinel_masters()
        except (RedisError, OSError) as error:
            said, to_do = WORDS[redis_links.reason(error)]
            yield wrong("Sentinels", f"{host}:{port} {said}", to_do.replace("Redis", "the Sentinel"))
            continue
        state = known.get(address.service)
        if state is None:
            yield wrong("Sentinels", f"{host}:{port} does not know the service", "Name it right in REDIS_URL.")
            continue
        primaries.add((state["ip"], state["port"]))
        if state["num-other-sentinels"] + 1 < count:
            yield warning(
                "Sentinels", f"{host}:{port} knows {state['num-other-sentinels']} others of {count - 1}",
                "Let all of them monitor the same primary.",
            )  # fmt: skip
        if not state["num-slaves"]:
            yield warning("Sentinels", f"{host}:{port} knows no replica to go to", "Start a replica.")
        if state["down-after-milliseconds"] > MOST_SECONDS_DOWN * 1000:
            seconds = state["down-after-milliseconds"] // 1000
            yield warning(
                "Sentinels", f"{host}:{port} waits {seconds} s before it looks for another primary",
                f"sentinel set {address.service} down-after-milliseconds 5000",
            )  # fmt: skip
    if len(primaries) > 1:
        yield wrong("Sentinels", "name different primaries", "Wait for the failover to end, or reset them.")
    elif primaries:
        yield ok("Sentinels", f"agree on the primary at {':'.join(map(str, primaries.pop()))}")


def _version(link: Any) -> Iterator[Finding]:
    found = str(link.info("server").get("redis_version", ""))
    if tuple(int(part) for part in found.split(".")[:2] if part.isdigit()) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        yield wrong("Redis", f"is version {found}", f"Upgrade it to {oldest} or newer.")
    else:
        yield ok("Redis", f"is version {found}")


def _limits(link: Any) -> Iterator[Finding]:
    """`client-output-buffer-limit` is `normal 0 0 0 slave … pubsub 33554432 8388608 60`; 0 is no limit."""
    found = link.config_get("client-output-buffer-limit", "maxclients")
    words = str(found.get("client-output-buffer-limit", "")).split()
    if "pubsub" in words:
        hard, soft = (int(one) for one in words[words.index("pubsub") + 1 :][:2])
        if 0 < hard < HARD or 0 < soft < SOFT:
            yield wrong(
                "Redis", f"cuts a subscriber off at {hard or soft} bytes that wait for it",
                f"client-output-buffer-limit pubsub {HARD} {SOFT} 60",
            )  # fmt: skip
    if 0 < int(found.get("maxclients", 0)) < CLIENTS_PER_PROCESS:
        yield wrong("Redis", f"takes {found['maxclients']} clients", "maxclients 10000")


def _memory(link: Any) -> Iterator[Finding]:
    found = link.config_get("maxmemory", "maxmemory-policy")
    limit, policy = int(found.get("maxmemory", 0)), found.get("maxmemory-policy")
    used = int(link.info("memory").get("used_memory", 0))
    if limit and policy == "noeviction":
        yield warning("Redis", f"refuses writes when {limit >> 20} MiB are full", "maxmemory-policy volatile-lru")
    if limit and used > 0.9 * limit:
        yield warning("Redis", f"uses {used >> 20} of {limit >> 20} MiB", "Raise maxmemory.")


def _delivery(link: Any) -> Iterator[Finding]:
    """What is published comes to a subscriber; and how long that takes."""
    channel, word = f"seance.doctor.{secrets.token_hex(8)}", secrets.token_hex(8)
    with link.pubsub(ignore_subscribe_messages=True) as ear:
        ear.subscribe(channel)
        ear.get_message(timeout=SECONDS)
        began, heard = time.perf_counter(), None
        link.publish(channel, word)
        while heard is None and time.perf_counter() - began < SECONDS:
            heard = ear.get_message(timeout=SECONDS)
    took = (time.perf_counter() - began) * 1000
    if heard is None or heard["data"] != word:
        yield wrong(
            "Redis", "takes messages and does not deliver them", "Connect to the primary; allow channels seance.*."
        )
    elif took > SLOW_MS:
        yield warning(
            "Redis", f"takes {took:.0f} ms to deliver a message", "Put it nearer, or look at what keeps it busy."
        )
    else:
        yield ok("Redis", f"delivers a message in {took:.1f} ms")


CHECKS = (redis,)
