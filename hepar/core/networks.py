"""Network addresses: whom a limit counts as one, and which peers are trusted."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated

from pydantic import AfterValidator

Network = IPv4Network | IPv6Network
UNKNOWN = "unknown"
IPV6_PREFIX_BITS = 64
"""One customer of a provider has at least this network, and can use every address in it."""


def network_of(address: str | None) -> str:
    """Whom limits count: an IPv4 address, the /64 network of an IPv6 address, the text as it is, or UNKNOWN."""
    if address is None:
        return UNKNOWN
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, IPV6_PREFIX_BITS), strict=False))


def parsed_networks(texts: Iterable[str]) -> list[Network]:
    """texts: addresses or networks. Raises ValueError."""
    return [ip_network(text, strict=False) for text in texts]


def _are_networks(texts: list[str]) -> list[str]:
    parsed_networks(texts)
    return texts


NetworkList = Annotated[list[str], AfterValidator(_are_networks)]
"""A setting that lists addresses or networks."""
