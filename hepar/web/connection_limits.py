"""How many connections a server accepts: in total, and from one network address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from starlette.types import Scope

from hepar.core.networks import UNKNOWN, Network, network_of, parsed_networks


def client_network(scope: Scope) -> str:
    """The network of a request's client, as a trusted proxy names it."""
    return network_of((scope.get("client") or (UNKNOWN,))[0])


@dataclass
class ConnectionLimits:
    """Counts open connections.

    address_max: connections of one address; None where all connections come from proxies or from our own services.
    proxies: addresses and networks whose connections count only in total: they carry requests of many clients.
    """

    total_max: int
    address_max: int | None = None
    proxies: Sequence[str] = ()
    _total: int = field(default=0, init=False)
    _open: Counter[str] = field(default_factory=Counter[str], init=False)
    _proxy_networks: list[Network] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._proxy_networks = parsed_networks(self.proxies)

    def add(self, address: str) -> bool:
        """Counts a connection, whose end must be told to `remove`. False where it is one too many."""
        network = network_of(address)
        self._total += 1
        self._open[network] += 1
        if self.exhausted():
            return False
        return self.address_max is None or self._open[network] <= self.address_max or self._is_proxy(address)

    def exhausted(self) -> bool:
        """There are more connections than the total: there is no room for even a refusal."""
        return self._total > self.total_max

    def remove(self, address: str) -> None:
        network = network_of(address)
        self._total -= 1
        self._open[network] -= 1
        if not self._open[network]:
            del self._open[network]

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxy_networks)
