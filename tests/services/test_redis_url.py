"""Tests of sessions_app: REDIS_URL as it is read, what is refused and how, and why Redis does not answer in a word."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

import pytest
from redis import exceptions
from redis.sentinel import MasterNotFoundError

from sessions_app import redis_links
from sessions_app.redis_url import Address, WrongUrl, parse
from tests.harness.processes import free_port

NOBODY = {"username": None, "password": None}
TLS = {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True}


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("redis://host", Address((("host", 6379),), "", {**NOBODY, "db": 0}, {})),
        ("redis://host:7000/3", Address((("host", 7000),), "", {**NOBODY, "db": 3}, {})),
        ("redis://host/?db=4", Address((("host", 6379),), "", {**NOBODY, "db": 4}, {})),
        (
            "redis://ann:p%40%2C%23@[::1]:7000/1",
            Address((("::1", 7000),), "", {"username": "ann", "password": "p@,#", "db": 1}, {}),
        ),
        ("redis://:secret@host", Address((("host", 6379),), "", {"username": None, "password": "secret", "db": 0}, {})),
        ("rediss://host/1", Address((("host", 6379),), "", {**NOBODY, "db": 1, **TLS}, {})),
        (
            "rediss://host?ssl_cert_reqs=none",
            Address(
                (("host", 6379),),
                "",
                {**NOBODY, "db": 0, "ssl": True, "ssl_cert_reqs": "none", "ssl_check_hostname": False},
                {},
            ),
        ),
        ("unix:///run/redis.sock", Address((), "", {**NOBODY, "path": "/run/redis.sock", "db": 0}, {})),
        (
            "unix://ann:secret@/run/redis.sock?db=2",
            Address((), "", {"username": "ann", "password": "secret", "path": "/run/redis.sock", "db": 2}, {}),
        ),
        (
            "sentinel://ann:secret@one:1,two,[::1]:3/house/2?sentinel_username=bo&sentinel_password=s2",
            Address(
                (("one", 1), ("two", 26379), ("::1", 3)),
                "house",
                {"username": "ann", "password": "secret", "db": 2},
                {"username": "bo", "password": "s2"},
            ),
        ),
        (
            "sentinels://one/house",
            Address((("one", 26379),), "house", {**NOBODY, "db": 0, **TLS}, {**NOBODY, **TLS}),
        ),
        (
            "sentinels://one/house?sentinel_ssl=false",
            Address((("one", 26379),), "house", {**NOBODY, "db": 0, **TLS}, NOBODY),
        ),
    ],
)
def test_a_url_is_read(url: str, read: Address) -> None:
    assert parse(url) == read


def test_files_of_certificates_are_taken_where_they_are_there(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.touch()

    read = parse(f"rediss://host?ssl_ca_certs={file}&ssl_certfile={file}&ssl_keyfile={file}&ssl_password=hunter2")

    assert {name for name in read.options if name.startswith("ssl_")} == {
        "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_password", "ssl_cert_reqs", "ssl_check_hostname",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://:hunter2@host", "must be redis://"),
        ("redis:/hunter2@host", "must be redis://"),
        ("localhost:6379", "must be redis://"),
        ("redis://[::1", "must be redis://"),
        ("redis://:hunter2@host/x y", "must be redis://"),
        ("redis://", "must name its hosts"),
        ("redis://:hunter2@", "must name its hosts"),
        ("redis://:hunter2@host:port", "must name its hosts"),
        ("redis://:hunter2@host:70000", "port"),
        ("redis://:hunter2@host:0", "port"),
        ("redis://:hunter2@one,two", "several servers"),
        ("rediss://:hunter2@one:1,two:2/0", "several servers"),
        ("redis://:hunter2@host/name", "database"),
        ("redis://:hunter2@host?db=x", "database"),
        ("redis://:hun#ter2@host", "%23"),
        ("redis://:pw?hunter2@host", "has a parameter"),
        ("redis://host?hunter2=1", "has a parameter"),
        ("redis://host?ssl_ca_certs=/x", "has a parameter"),
        ("rediss://host?ssl_ca_certs=/no/hunter2", "ssl_ca_certs that is not there"),
        ("rediss://host?ssl_cert_reqs=hunter2", "ssl_cert_reqs"),
        ("rediss://host?ssl_check_hostname=hunter2", "ssl_check_hostname"),
        ("unix://", "unix:///path"),
        ("unix://hunter2/path", "unix:///path"),
        ("sentinel://:hunter2@one,two", "must name the service"),
        ("sentinel://:hunter2@one,two/house/x", "database"),
        ("sentinel://one,,two/house", "must name its hosts"),
        ("sentinels://one/house?sentinel_ssl=hunter2", "sentinel_ssl"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line_that_shows_nothing_of_it(url: str, said: str) -> None:
    with pytest.raises(WrongUrl) as caught:
        parse(url)

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def wrapped(inner: Exception) -> Exception:
    """As redis-py wraps the errors of the socket."""
    try:
        try:
            raise inner
        except OSError as error:
            raise exceptions.ConnectionError("Error 1 connecting to host:6379.") from error
    except exceptions.ConnectionError as outer:
        return outer


def distrust(why: str) -> Exception:
    """A certificate that is not believed."""
    return wrapped(
        ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {why}")
    )


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (exceptions.AuthenticationError("invalid username-password pair or user is disabled."), "wrong_password"),
        (exceptions.NoPermissionError("this user has no permissions to run the 'publish' command"), "no_permission"),
        (exceptions.ReadOnlyError("You can't write against a read only replica."), "read_only"),
        (exceptions.OutOfMemoryError("OOM command not allowed when used memory > 'maxmemory'."), "full"),
        (exceptions.ResponseError("ACL failure in script: this user has no permissions"), "no_permission"),
        (exceptions.BusyLoadingError("Redis is loading the dataset in memory"), "loading"),
        (exceptions.TimeoutError("Timeout reading from host:6379"), "timeout"),
        (TimeoutError(), "timeout"),
        (wrapped(ConnectionRefusedError(111, "Connection refused")), "unreachable"),
        (distrust("certificate has expired"), "certificate_expired"),
        (distrust("self-signed certificate in certificate chain"), "certificate_not_trusted"),
        (distrust("Hostname mismatch, certificate is not valid for 'x'."), "certificate_of_another_host"),
        (MasterNotFoundError("No master found for 'house'"), "no_primary"),
        (
            MasterNotFoundError("No master found for 'house' : x - Error('certificate has expired')"),
            "certificate_expired",
        ),
    ],
)
def test_why_redis_does_not_answer_is_a_word(error: Exception, why: str) -> None:
    assert redis_links.reason(error) == why


def test_sentinels_that_are_all_away_cost_less_than_the_second_that_a_caller_has() -> None:
    link = redis_links.client(f"sentinel://127.0.0.1:{free_port()},127.0.0.1:{free_port()}/house")
    began = time.monotonic()

    with link, pytest.raises(exceptions.ConnectionError) as caught:
        link.ping()

    assert redis_links.reason(caught.value) == "no_primary"
    assert time.monotonic() - began < 1
