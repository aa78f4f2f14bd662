"""NO_PROXY means the same for every client: what curl and Go make of it."""

from __future__ import annotations

import pytest

from bulkup.proxies import proxy_for

PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("url", "no_proxy", "is_direct"),
    [
        ("http://10.1.2.3:9000", "*", True),
        ("https://s3.example.com", " * ", True),
        ("http://10.1.2.3:9000", "10.1.2.3", True),
        ("http://10.1.2.3:9000", "10.0.0.0/8", True),
        ("http://10.1.2.3:9000", "10.1.2.3/32,x", True),
        ("http://11.1.2.3:9000", "10.0.0.0/8", False),
        ("http://10.1.2.3:9000", "10.1.2.3:9000", True),
        ("http://10.1.2.3:9000", "10.1.2.3:9001", False),
        ("http://10.1.2.3:9000", "2.3", False),
        ("http://[fd00::1]:9000", "fd00::/8", True),
        ("http://[fd00::1]:9000", "fd00:0::1", True),
        ("http://[fd00::1]:9000", "[fd00::1]", True),
        ("http://[fd00::1]:9000", "[fd00::1]:9000", True),
        ("http://[fd00::1]:9000", "[fd00::1]:1", False),
        ("https://s3.example.com", "example.com", True),
        ("https://s3.example.com", ".example.com", True),
        ("https://s3.example.com", "*.example.com", True),
        ("https://S3.Example.com.", "s3.EXAMPLE.com", True),
        ("https://s3.example.com", "example.com:443", True),
        ("https://s3.example.com", "example.com:80", False),
        ("https://s3.badexample.com", "example.com", False),
        ("https://s3.example.com", "a.com b.com, example.com", True),
        ("https://s3.example.com", "", False),
        ("https://s3.example.com", ",/,:,.,10.0.0.0/99", False),
    ],
)
def test_no_proxy_names_hosts_addresses_networks_and_ports(url, no_proxy, is_direct):
    environ = {"ALL_PROXY": PROXY, "NO_PROXY": no_proxy}
    assert proxy_for(url, environ) == (None if is_direct else PROXY)


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTP_PROXY": PROXY}, PROXY),
        ({"HTTPS_PROXY": PROXY}, None),
        ({"http_proxy": PROXY, "HTTP_PROXY": "http://other"}, PROXY),
        ({"http_proxy": "", "HTTP_PROXY": "http://other"}, None),
        ({"all_proxy": PROXY}, PROXY),
        ({"http_proxy": "proxy:3128"}, PROXY),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, None),
        ({"HTTP_PROXY": PROXY, "no_proxy": "host", "NO_PROXY": "x"}, None),
    ],
)
def test_the_proxy_of_a_scheme(environ, proxy):
    assert proxy_for("http://host/", environ) == proxy
