"""Where webhooks may post: hosts that the operator allows, at public addresses or in networks that it allows.

The name is resolved once for each call, and the call goes to the address that was checked: an answer of the name server
that changes in between leads nowhere else.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from hepar.core.networks import Network, parsed_networks

_DEFAULT_PORTS = {"http": 80, "https": 443}
_TRANSITION = parsed_networks(["2002::/16", "2001::/32", "64:ff9b::/96", "64:ff9b:1::/48"])
"""6to4, Teredo and NAT64: an IPv4 address, private or not, stands in the IPv6 one."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TargetRefused(Exception):
    """The URL may not be called; the message says why, without addresses of this network."""


@dataclass(frozen=True)
class Target:
    """A checked URL. url: with the address in place of the host.  host: for the Host header and the certificate."""

    url: str
    host: str
    host_header: str


@dataclass(frozen=True)
class TargetRules:
    """hosts: `name` for the default port, or `name:port`.  networks: private networks that are allowed.

    https_only: as in production.
    """

    hosts: frozenset[str]
    networks: Sequence[Network]
    https_only: bool

    def check_url(self, url: str) -> SplitResult:
        """What can be decided without the name server. Raises TargetRefused."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise TargetRefused("the URL is not valid") from error
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
            raise TargetRefused("the URL is not valid")
        if self.https_only and parts.scheme != "https":
            raise TargetRefused("only https is allowed")
        default = port in (None, _DEFAULT_PORTS[parts.scheme])
        if (parts.hostname if default else f"{parts.hostname}:{port}") not in self.hosts:
            raise TargetRefused("the operator has not allowed this host")
        return parts

    async def target(self, url: str) -> Target:
        """Raises TargetRefused, and OSError where the name cannot be resolved."""
        parts = self.check_url(url)
        host = parts.hostname or ""
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(entry[4][0])) for entry in found]
        if not addresses or not all(self._allowed(address) for address in addresses):
            raise TargetRefused("the host has an address that is not public")
        address = addresses[0]
        literal = f"[{address}]" if address.version == 6 else str(address)
        return Target(parts._replace(netloc=f"{literal}:{port}", fragment="").geturl(), host, parts.netloc)

    def _allowed(self, address: Address) -> bool:
        mapped = getattr(address, "ipv4_mapped", None)
        checked: Address = address if mapped is None else mapped
        transition = any(checked in network for network in _TRANSITION)
        public = checked.is_global and not checked.is_multicast and not transition
        return public or any(checked in network for network in self.networks)
