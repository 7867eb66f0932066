"""Limits of open connections."""

from __future__ import annotations

from hepar.web.connection_limits import ConnectionLimits


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
