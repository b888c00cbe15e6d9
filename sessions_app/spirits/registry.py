"""Room: sessions_app/spirits. Provider names → providers. One file and one `register` make a new one known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from .base import SpiritProvider


class ProviderSettings(msgspec.Struct, frozen=True):
    """What a provider may be told. Times in seconds; prices in microcents (1e-8) per 1,000 tokens."""

    base_url: str = ""
    api_key: str = ""
    model: str = ""
    connect_s: float = 3.0
    first_token_s: float = 6.0
    total_s: float = 20.0
    temperature: float = 0.9
    max_tokens: int = 160
    prompt_price: int = 0
    completion_price: int = 0

    def __repr__(self) -> str:
        # An API key must not reach a log through a traceback.
        return f"ProviderSettings(base_url={self.base_url!r}, model={self.model!r}, api_key=***)"


class ProviderSpec(msgspec.Struct, frozen=True):
    """How to build one provider; `network` says that it talks to another machine."""

    build: Callable[[ProviderSettings], SpiritProvider]
    network: bool


class UnknownProvider(LookupError):
    """No provider has this name."""


class NetworkForbidden(RuntimeError):
    """A network provider was asked for while networks are switched off."""


def _oracle(_settings: ProviderSettings) -> SpiritProvider:
    from .providers.oracle import OracleProvider

    return OracleProvider()


def _openai_compat(settings: ProviderSettings) -> SpiritProvider:
    from .providers.openai_compat import OpenAICompatProvider

    return OpenAICompatProvider(settings)


def _secondary(settings: ProviderSettings) -> SpiritProvider:
    from .providers.openai_compat import OpenAICompatProvider

    return OpenAICompatProvider(settings, name="secondary")


_SPECS: dict[str, ProviderSpec] = {
    "oracle": ProviderSpec(_oracle, network=False),
    "openai_compat": ProviderSpec(_openai_compat, network=True),
    "secondary": ProviderSpec(_secondary, network=True),
}


def register(name: str, build: Callable[[ProviderSettings], SpiritProvider], *, network: bool) -> None:
    """Make a provider known. Raises `ValueError` when the name is taken."""
    if name in _SPECS:
        raise ValueError(f"provider {name!r} is already registered")
    _SPECS[name] = ProviderSpec(build, network)


def provider_names() -> tuple[str, ...]:
    return tuple(sorted(_SPECS))


def build_providers(
    names: Iterable[str],
    *,
    allow_network: bool,
    settings: ProviderSettings | Mapping[str, ProviderSettings] | None = None,
) -> list[SpiritProvider]:
    """The chain in the order given, the oracle always last and always there. `settings`: for all, or by name.

    Raises `UnknownProvider`; `NetworkForbidden` for a network provider when `allow_network` is false.
    """
    wanted = [name for name in dict.fromkeys(names) if name != "oracle"]
    chain: list[SpiritProvider] = []
    for name in [*wanted, "oracle"]:
        spec = _SPECS.get(name)
        if spec is None:
            raise UnknownProvider(f"no spirit provider named {name!r}; there are {', '.join(provider_names())}")
        if spec.network and not allow_network:
            raise NetworkForbidden(f"spirit provider {name!r} needs the network, and SPIRIT_ALLOW_NETWORK is false")
        own = settings.get(name) if isinstance(settings, Mapping) else settings
        chain.append(spec.build(own or ProviderSettings()))
    return chain
