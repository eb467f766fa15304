"""What stands before every page, as a table."""

from __future__ import annotations

import pytest

from flyteplane.console.security import OwnNames, refusal_of

NAMES = OwnNames(public_host="flyte.example.org:8443")
HERE = "127.0.0.1:7780"


@pytest.mark.parametrize(
    "host",
    [HERE, "localhost", "LOCALHOST:1", "[::1]:7780", "flyte.example.org:8443", "Flyte.Example.ORG:8443"],
)
def test_our_own_names_are_known(host: str) -> None:
    assert refusal_of("GET", {"host": host}, names=NAMES) == ""


@pytest.mark.parametrize(
    "host",
    [
        *("", "evil.example", "flyte.example.org", "127.0.0.1.evil.example", "localhost.evil.example:7780", "[::1"),
        *("::1", "user@evil.example", "0.0.0.0", "127.0.0.2", "evil.example#localhost", "evil.example/localhost"),
    ],
)
def test_other_names_are_not(host: str) -> None:
    assert refusal_of("GET", {"host": host}, names=NAMES)
    assert not OwnNames().knows("")
    assert OwnNames(any_host=True).knows("flyte.example.org")


@pytest.mark.parametrize(
    ("headers", "let_through"),
    [
        ({"origin": f"http://{HERE}", "sec-fetch-site": "same-origin"}, True),
        ({"origin": f"http://{HERE}"}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({}, False),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, False),
        ({"origin": "http://127.0.0.1:7781"}, False),
        ({"origin": "http://localhost:7780"}, False),
        ({"origin": f"http://{HERE}", "sec-fetch-site": "cross-site"}, False),
        ({"origin": f"http://{HERE}", "sec-fetch-site": "same-site"}, False),
        ({"origin": f"http://{HERE}@evil.example"}, False),
        ({"origin": f"http://evil.example/{HERE}"}, False),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "ODD"])
def test_changes_have_to_come_from_our_own_pages(method: str, headers: dict[str, str], let_through: bool) -> None:
    assert (refusal_of(method, {"host": HERE, **headers}, names=NAMES) == "") is let_through
