"""Whom a limit by address counts as one."""

from __future__ import annotations

import pytest

from hepar.web.connection_limits import ConnectionLimits, network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::7", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unknown", "unknown"),
    ],
)
def test_an_ipv6_client_is_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_connections_are_limited_per_network_and_in_total() -> None:
    limits = ConnectionLimits(total_max=6, address_max=2, proxies=["198.51.100.0/24"])
    assert [limits.add(f"2001:db8::{number}") for number in range(3)] == [True, True, False]
    assert not limits.exhausted()
    assert [limits.add("198.51.100.9") for _ in range(3)] == [True] * 3  # a proxy: only the total counts
    assert not limits.add("192.0.2.1")
    assert limits.exhausted()
    limits.remove("192.0.2.1")
    limits.remove("2001:db8::0")
    limits.remove("2001:db8::1")
    assert not limits.exhausted()
    assert limits.add("2001:db8::9")
