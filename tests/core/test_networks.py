from __future__ import annotations

from ipaddress import ip_address

import pytest
from pydantic import TypeAdapter, ValidationError

from hepar.core.networks import NetworkList, network_of, parsed_networks


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
        (None, "unknown"),
    ],
)
def test_an_ipv6_client_is_its_network(address: str | None, network: str) -> None:
    assert network_of(address) == network


def test_a_setting_lists_addresses_and_networks() -> None:
    networks = TypeAdapter(NetworkList)
    given = ["127.0.0.1", "2001:db8::/32", "192.0.2.9/24"]
    assert networks.validate_python(given) == given
    assert ip_address("192.0.2.200") in parsed_networks(given)[2]
    with pytest.raises(ValidationError, match="does not appear to be an IPv4 or IPv6 network"):
        networks.validate_python(["127.0.0.1", "the proxy"])
