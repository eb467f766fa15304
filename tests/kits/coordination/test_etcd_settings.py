"""Settings that can never work are refused before anything connects, with the field that is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flyteplane.coordination import EtcdSettings
from flyteplane.coordination.etcd.keyspace import Keyspace
from flyteplane.coordination.etcd.settings import address_of
from flyteplane.foundation.errors import InvalidArgument

HERE = Path(__file__)


@pytest.mark.parametrize("endpoint", ["", "host", "host:", ":2379", "host:0", "host:65536", "host:x", "ftp://host/a:1"])
def test_an_endpoint_names_host_and_port(endpoint: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        EtcdSettings(endpoints=(endpoint,))
    assert raised.value.field == "endpoints"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"endpoints": ()}, "endpoints"),
        ({"endpoints": ("http://a:1", "https://b:1")}, "endpoints"),
        ({"endpoints": ("http://a:1",), "ca_file": HERE}, "endpoints"),
        ({"cert_file": HERE}, "cert_file"),
        ({"key_file": HERE}, "cert_file"),
        ({"ca_file": HERE / "missing"}, "ca_file"),
        ({"username": "somebody"}, "username"),
        ({"password_file": HERE}, "username"),
        ({"username": "somebody", "password_file": HERE / "missing"}, "password_file"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"prefix": "/ours"}, "prefix"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        EtcdSettings(**{"endpoints": ("a:1",), **wrong})
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("endpoint", "files", "secure"),
    [
        ("http://a:1", {}, False),
        ("https://a:1", {}, True),
        ("a:1", {}, False),
        ("a:1", {"ca_file": HERE}, True),
        ("https://a:1/", {"ca_file": HERE}, True),
    ],
)
def test_tls_is_what_the_endpoints_say_or_else_the_certificates(
    endpoint: str, files: dict[str, Any], secure: bool
) -> None:
    assert EtcdSettings(endpoints=(endpoint,), **files).secure is secure
    assert address_of(endpoint) == "a:1"


def test_a_range_holds_exactly_the_keys_of_its_prefix() -> None:
    below = Keyspace("/p/").below("a")
    assert below.start <= b"/p/a" < b"/p/a\xf4\x8f\xbf\xbf" < below.end <= b"/p/b"
    everything = Keyspace("").below("")
    assert (everything.start, everything.end) == (b"\0", b"\0")


def test_what_is_no_text_survives_as_a_key() -> None:
    keyspace = Keyspace("/p/")
    assert keyspace.stored(keyspace.key(b"/p/\xff\x00")) == b"/p/\xff\x00"


def test_the_memory_store_needs_nothing_of_etcd() -> None:
    program = "import flyteplane.coordination, sys; assert not any('etcd' in name for name in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
