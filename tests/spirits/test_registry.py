"""Room: tests/spirits. Names to providers, and the switch that keeps tests off the network."""

from __future__ import annotations

import pytest

from sessions_app.spirits.providers.scripted import ScriptedProvider
from sessions_app.spirits.registry import (
    NetworkForbidden,
    ProviderSettings,
    UnknownProvider,
    build_providers,
    provider_names,
    register,
)


def test_the_oracle_is_always_there_and_always_last() -> None:
    if "scripted-for-registry" not in provider_names():
        register("scripted-for-registry", lambda _: ScriptedProvider(name="scripted-for-registry"), network=False)

    chain = build_providers(["oracle", "scripted-for-registry"], allow_network=False)

    assert [provider.name for provider in chain] == ["scripted-for-registry", "oracle"]
    assert [provider.name for provider in build_providers([], allow_network=False)] == ["oracle"]


def test_a_network_provider_refuses_to_be_built_without_a_network() -> None:
    with pytest.raises(NetworkForbidden, match="openai_compat"):
        build_providers(["openai_compat"], allow_network=False)


def test_an_unknown_name_is_named_in_the_error() -> None:
    with pytest.raises(UnknownProvider, match="orcale"):
        build_providers(["orcale"], allow_network=True)


def test_a_name_can_be_taken_once() -> None:
    with pytest.raises(ValueError, match="oracle"):
        register("oracle", lambda _: ScriptedProvider(), network=False)


def test_a_key_is_not_shown_in_a_repr() -> None:
    assert "s3cret" not in repr(ProviderSettings(api_key="s3cret"))
