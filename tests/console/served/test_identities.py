"""On a platform where people have keys: everyone sees what their own key allows, and nothing of the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.console.served.conftest import PROGRAM, link_of
from tests.support.console_client import ConsoleClient
from tests.support.platform import PlatformUnderTest


class People:
    """The owner of a platform, and whoever it made a key for."""

    def __init__(self, platform: PlatformUnderTest) -> None:
        self.platform = platform
        self.url = link_of(platform).partition("/login")[0]

    def key(self, name: str, *options: str) -> str:
        made = self.platform.ask("create", "api-key", name, *options)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def sign_in(self, key: str) -> ConsoleClient:
        answer = ConsoleClient(self.url).post("/login", {"key": key, "next": "/runs"})
        assert answer.status == 200, answer.text
        return ConsoleClient(self.url, cookie=answer.headers["set-cookie"].partition(";")[0])

    def run(self) -> str:
        started = self.platform.flyte("run", str(PROGRAM), "child", "--n", "1", "--name", "secret-run")
        assert started.returncode == 0, started.stderr
        assert "Look at " in started.stderr
        return "/runs/flytesnacks/development/secret-run"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    platform = PlatformUnderTest(
        tmp_path_factory.mktemp("people") / "platform",
        endpoint="127.0.0.1:0",
        options=("--console-listen", "127.0.0.1:0"),
    )
    try:
        platform.start()
        yield People(platform)
    finally:
        platform.destroy()


def test_a_key_lets_in_and_its_rights_are_those_of_the_pages(people: People) -> None:
    run = people.run()
    viewer = people.sign_in(people.key("viewer", "--role", "viewer", "--project", "flytesnacks"))
    assert "key:viewer" in viewer.get("/runs").text
    assert "secret-run" in viewer.get("/runs").text
    assert viewer.get(run).status == 200
    # Whoever sees one project only sees its part of what belongs to all.
    for path in ("/pools", "/pools/events", "/secrets", "/queues", "/queues/events", "/clusters"):
        with viewer.events(path) as answer:
            assert answer.status == 200, path
    refused = viewer.change(f"{run}/rerun")
    assert refused.status == 403
    assert "secret-run" not in str(refused.headers)
    owner = ConsoleClient.signed_in(link_of(people.platform))
    assert owner.change(f"{run}/rerun").status == 303


def test_what_one_may_not_see_is_as_if_it_were_not_there(people: People) -> None:
    made = people.platform.ask("create", "project", "--id", "elsewhere", "--name", "elsewhere")
    assert made.returncode == 0, made.stderr
    other = people.sign_in(people.key("other", "--role", "viewer", "--project", "elsewhere"))
    there, absent = "/runs/flytesnacks/development/secret-run", "/runs/flytesnacks/development/no-such-run"
    for path in ("", "/events", "/tree?parent=a0", "/actions/a0", "/actions/a0/logs", "/actions/a0/report"):
        hidden, missing = other.get(f"{there}{path}"), other.get(f"{absent}{path}")
        assert hidden.status == missing.status == 404, path
        assert hidden.text == missing.text, path
    assert "secret-run" not in other.get("/runs?project=flytesnacks&domain=development").text
    token = {"form_token": other.token()}
    hidden, missing = (other.post(f"{path}/abort", token) for path in (there, absent))
    assert (hidden.status, hidden.text) == (missing.status, missing.text)


def test_a_wrong_key_lets_nobody_in_and_a_revoked_one_is_out_at_once(people: People) -> None:
    for wrong in ("", "x", "é", "fp_" + "a" * 9000, "key\r\nx: y"):
        answer = ConsoleClient(people.url).post("/login", {"key": wrong})
        assert answer.status == 401
        assert "set-cookie" not in answer.headers
        assert len(wrong) < 2 or wrong not in answer.text
    key = people.key("leaver", "--role", "viewer", "--project", "flytesnacks")
    leaver = people.sign_in(key)
    assert key not in leaver.cookie
    assert leaver.get("/runs").status == 200
    revoked = people.platform.ask("delete", "api-key", "leaver")
    assert revoked.returncode == 0, revoked.stderr
    assert leaver.get("/runs").headers["location"].startswith("/login")
