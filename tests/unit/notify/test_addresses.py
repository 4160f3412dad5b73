import pytest

from certpipe.notify.addresses import forbidden, parse_networks, within

NEVER = [
    "0.0.0.0",  # noqa: S104 - an address that is judged, not listened on
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.9",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::808:808",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::1",
    "2001:0:808:808:0:0:80ff:fffe",  # Teredo, to 127.0.0.1
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:c0a8:101::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700:4700::1111%1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("ip", NEVER)
def test_what_is_not_public_unicast_is_forbidden(ip: str) -> None:
    assert forbidden(ip)


@pytest.mark.parametrize("ip", ["", "localhost", "127.1", "2130706433", "0x7f.1", "1.2.3.4/32", "[::1]", "1.2.3.4 "])
def test_what_is_no_address_is_forbidden_even_where_all_is_allowed(ip: str) -> None:
    assert forbidden(ip, parse_networks("0.0.0.0/0,::/0"))
    assert not within(ip, parse_networks("0.0.0.0/0,::/0"))


@pytest.mark.parametrize(
    "ip",
    [
        "1.1.1.1",
        "8.8.8.8",
        "172.32.0.1",
        "192.0.1.1",
        "::ffff:8.8.8.8",
        "2606:4700:4700::1111",
        "2a00:1450:4003:80a::200e",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ],
)
def test_public_unicast_is_allowed(ip: str) -> None:
    assert not forbidden(ip)


@pytest.mark.parametrize(
    ("networks", "ip"),
    [
        ("127.0.0.0/8", "127.0.0.1"),
        ("127.0.0.0/8", "::ffff:127.0.0.1"),
        (" 10.0.0.0/8 , fd00::/8 ,", "fd12::1"),
        ("::1/128", "::1"),
        ("10.1.2.3", "10.1.2.3"),
    ],
)
def test_what_lies_in_the_networks_of_the_operator_is_allowed(networks: str, ip: str) -> None:
    assert not forbidden(ip, parse_networks(networks))
    assert within(ip, parse_networks(networks))


@pytest.mark.parametrize("ip", ["10.0.0.1", "::1", "64:ff9b::7f00:1", "2002:7f00:1::", "8.8.8.8", "fe80::1%lo"])
def test_networks_allow_nothing_besides(ip: str) -> None:
    networks = parse_networks("127.0.0.0/8,fe80::/10")
    assert not within(ip, networks)
    assert forbidden(ip, networks) == (ip != "8.8.8.8")


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "10.0.0.0/33", "localhost", "*", "::1/8", "10.0.0.0-10.0.0.9"])
def test_a_setting_that_is_no_network_is_named_with_the_remedy(entry: str) -> None:
    with pytest.raises(ValueError, match="write it as") as caught:
        parse_networks(f"127.0.0.0/8,{entry}")
    assert repr(entry) in str(caught.value)
    assert caught.value.__cause__ is None


def test_no_setting_is_no_network() -> None:
    assert parse_networks("") == parse_networks(" , ") == ()
