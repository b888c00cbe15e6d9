"""Tests of /health/ready on a real PostgreSQL that speaks TLS: what is wrong is named, and nothing secret."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.harness.plugin import MakeStack
from tests.harness.processes import wait_until
from tests.harness.server import Answer, Server, Stack
from tests.harness.services import POSTGRES_USER

pytestmark = [pytest.mark.deploy, pytest.mark.services, pytest.mark.processes]
SECRETS = ("hunter2", "medium_role", "postgres.example.org", "Traceback")


class World(NamedTuple):
    """A server, and its PostgreSQL with TLS and a role with a password."""

    stack: Stack
    server: Server
    authority: Path

    def on(self, statement: str) -> None:
        self.stack.query(statement)

    def certify(self, *, days: int) -> None:
        """Give PostgreSQL a certificate that ends in so many days, and close everybody's connection."""
        assert self.stack.postgres is not None
        certify(self.stack.postgres.data, self.authority, days=days)
        self.on("SELECT pg_reload_conf()")
        self.throw_out()

    def throw_out(self) -> None:
        self.on("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'medium_role'")

    def becomes(self, status: int, reason: str) -> Answer:
        """Wait until `/health/ready` says this."""

        def is_so() -> bool:
            try:
                answer = self.server.http("GET", "/health/ready")
            except httpx.ConnectError:
                return False
            return (answer.status, answer.body.get("reasons", {}).get("database", "")) == (status, reason)

        wait_until(is_so, timeout=15, every=0.2, what=f"{status} {reason}")
        return self.server.http("GET", "/health/ready")


@pytest.fixture
def world(make_stack: MakeStack, tmp_path: Path) -> Iterator[World]:
    stack = make_stack(own_postgres=True)
    assert stack.postgres is not None
    certify(stack.postgres.data, tmp_path / "authority", days=30)
    stack.query("CREATE ROLE medium_role LOGIN SUPERUSER PASSWORD 'hunter2'")
    (stack.postgres.data / "pg_hba.conf").write_text(
        "host all postgres 127.0.0.1/32 trust\nhostssl all medium_role 127.0.0.1/32 scram-sha-256\n"
    )
    for setting in ("ssl = on", "log_connections = on"):
        stack.query(f"ALTER SYSTEM SET {setting}")
    stack.postgres.stop()
    stack.postgres.start()
    url = f"postgresql://medium_role:hunter2@localhost:{stack.postgres.port}/postgres?hostaddr=127.0.0.1"
    root = f"{tmp_path}/authority/root.pem"
    server = stack.server(database_url=f"{url}&sslmode=verify-full&sslrootcert={root}")
    yield World(stack, server, tmp_path / "authority")
    assert not [word for word in SECRETS if word in server.said()]


@pytest.mark.parametrize(
    ("spoil", "mend", "reason"),
    [
        (lambda world: world.certify(days=-1), lambda world: world.certify(days=30),
         "certificate_expired"),
        (lambda world: (world.on("ALTER ROLE medium_role PASSWORD 'another'"), world.throw_out()),
         lambda world: world.on("ALTER ROLE medium_role PASSWORD 'hunter2'"), "wrong_password"),
        (lambda world: world.stack.postgres.stop(), lambda world: world.stack.postgres.start(),
         "nobody_listens"),
        (lambda world: world.on("UPDATE django_migrations SET name = 'x' || name WHERE name = '0009_days_and_acts' AND "
                                "app = 'sessions_app'"),
         lambda world: world.on("UPDATE django_migrations SET name = '0009_days_and_acts' WHERE name = "
                                "'x0009_days_and_acts'"),
         "migrations_missing"),
    ],
    ids=["certificate", "password", "away", "half-migrated"],
)  # fmt: skip
def test_what_is_wrong_is_named_and_when_it_is_mended_all_is_well(
    world: World, spoil: Callable[[World], object], mend: Callable[[World], object], reason: str
) -> None:
    world.becomes(200, "")

    spoil(world)
    answer = world.becomes(503, reason)
    lines = [line for line in world.server.said().splitlines() if "unreachable " in line and reason in line]
    mend(world)
    world.becomes(200, "")

    assert answer.body["status"] == "unhealthy"
    assert not [word for word in SECRETS if word in str(answer.body)]
    assert len(lines) == 1, lines


def test_a_server_that_starts_while_the_password_is_wrong_says_so_and_waits(world: World) -> None:
    world.on("ALTER ROLE medium_role PASSWORD 'another'")
    world.server.terminate()
    world.server.wait(30)

    world.server.spawn()
    wait_until(lambda: "database_away" in world.server.said(), timeout=30, what="it says nothing")
    (line,) = [line for line in world.server.said().splitlines() if "database_away" in line]
    world.on("ALTER ROLE medium_role PASSWORD 'hunter2'")

    assert "wrong_password" in line
    world.becomes(200, "")


def certify(data: Path, authority: Path, *, days: int) -> None:
    """Write server.crt and server.key into a PostgreSQL's directory, signed by an authority that is made if need be."""
    now = datetime.now(UTC)
    authority.mkdir(exist_ok=True)
    key_file, root_file = authority / "root.key", authority / "root.pem"
    if not key_file.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        root = _certificate("An authority", key, "An authority", key, now + timedelta(days=90), is_authority=True)
        key_file.write_bytes(_bytes(key))
        root_file.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    authority_key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    mine = _certificate("localhost", key, "An authority", authority_key, now + timedelta(days=days))
    for name, content in (("server.crt", mine.public_bytes(serialization.Encoding.PEM)), ("server.key", _bytes(key))):
        (data / name).write_bytes(content)
        (data / name).chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(data / name, POSTGRES_USER, POSTGRES_USER)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    until: datetime,
    *,
    is_authority: bool = False,
) -> x509.Certificate:
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, issuer)]
    made = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(until - timedelta(days=99))
    made = made.not_valid_after(until).add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    return made.sign(signer, hashes.SHA256())


def _bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
