"""Tests of the whole: several web hosts on one machine, each a network namespace with links of its own.

A host has two links to this machine, where the clients, PostgreSQL and Redis are: `front`, over which people come in,
and `back`, to the services. Each link is a pair of virtual interfaces with a network of two addresses, so that one can
be pulled out while the others go on. Needs root, and Debian's iproute2.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache

FRONT, BACK = "front", "back"
SERVICES = "10.213.0.1"  # this machine, as the hosts know it
NETWORK = "10.213.0.0/16"
# `make faults-hosts`: each server of every test is on a host of its own.
EACH = os.environ.get("SEANCE_HOSTS") == "namespaces"
HERE = SERVICES if EACH else "127.0.0.1"


@cache
def possible() -> bool:
    """Whether hosts can be made here."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    probe = f"seance-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], check=False, capture_output=True).returncode == 0
    subprocess.run(["ip", "netns", "delete", probe], check=False, capture_output=True)
    return made


def free_number() -> int:
    """A number that no host has."""
    there = {line.split()[0] for line in subprocess.check_output(["ip", "netns", "list"], text=True).splitlines()}
    return next(number for number in range(1, 61) if f"seance-host-{number}" not in there)


class Host:
    """One host; its links may be pulled out, and put back."""

    def __init__(self, number: int) -> None:
        """Its number, 1 to 60, is unique on this machine."""
        self.name = f"seance-host-{number}"
        self._number = number
        self.address = self._addresses(FRONT)[1]
        self.close()
        _ip("netns", "add", self.name)
        self._ip("link", "set", "dev", "lo", "up")
        for link in (FRONT, BACK):
            ours, theirs = self._addresses(link)
            _ip("link", "add", self._ours(link), "type", "veth", "peer", "name", link, "netns", self.name)
            _ip("address", "add", f"{ours}/30", "dev", self._ours(link))
            _ip("link", "set", "dev", self._ours(link), "up")
            self._ip("address", "add", f"{theirs}/30", "dev", link)
            self._ip("link", "set", "dev", link, "up")
        self._ip("route", "add", SERVICES, "via", self._addresses(BACK)[0])

    def _ours(self, link: str) -> str:
        return f"se-{link}-{self._number}"

    def _addresses(self, link: str) -> tuple[str, str]:
        """This machine's end, and the host's."""
        base = self._number * 4
        third = 1 if link == FRONT else 2
        return f"10.213.{third}.{base + 1}", f"10.213.{third}.{base + 2}"

    @property
    def wrap(self) -> list[str]:
        """What makes a command run on it."""
        return ["ip", "netns", "exec", self.name]

    def pull(self, link: str) -> None:
        """Pull a link out at our end: nothing goes through, and connections are not told."""
        _ip("link", "set", "dev", self._ours(link), "down")

    def put(self, link: str) -> None:
        """Put it back."""
        _ip("link", "set", "dev", self._ours(link), "up")

    def slow(self, link: str, rate: str) -> None:
        """Let no more than `rate`, as "256kbit", through a link in either direction; "" is as fast as ever."""
        for command, device in (([], self._ours(link)), (self.wrap, link)):
            subprocess.run([*command, "tc", "qdisc", "delete", "dev", device, "root"], check=False, capture_output=True)
            if rate:
                shape = ["tbf", "rate", rate, "burst", "4kb", "latency", "1s"]
                subprocess.run([*command, "tc", "qdisc", "add", "dev", device, "root", *shape], check=True)

    def _ip(self, *arguments: str) -> None:
        _ip("-n", self.name, *arguments)

    def close(self) -> None:
        """Take it away, links and all."""
        subprocess.run(["ip", "netns", "delete", self.name], check=False, capture_output=True)
        for link in (FRONT, BACK):
            subprocess.run(["ip", "link", "delete", self._ours(link)], check=False, capture_output=True)


def open_services() -> None:
    """Give this machine the address that the hosts know it by."""
    done = subprocess.run(["ip", "address", "add", f"{SERVICES}/32", "dev", "lo"], check=False, capture_output=True)
    assert done.returncode == 0 or b"exists" in done.stderr or b"assigned" in done.stderr, done.stderr


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
