"""Who is let in, and from where changes are taken."""

from __future__ import annotations

import stat

from tests.console.served.conftest import Served, link_of
from tests.support.console_client import ConsoleClient


def test_a_stranger_sees_no_page_and_no_stream(served: Served) -> None:
    stranger = ConsoleClient(served.owner.url)
    page = stranger.get(f"{served.done}?x=1")
    assert (page.status, page.headers["location"]) == (303, f"/login?next={served.done}%3Fx%3D1")
    for path in ("/runs/events", f"{served.done}/events", f"{served.done}/actions/a0/logs/download", "/nowhere"):
        assert stranger.get(path, accept="*/*").status == 401
    assert stranger.post(f"{served.done}/abort", {}).status == 401
    assert served.done.rpartition("/")[2] not in stranger.get("/login").text


def test_a_link_lets_in_once_and_only_its_owner_can_read_it(served: Served) -> None:
    link = link_of(served.platform)
    assert stat.S_IMODE((served.platform.data / "console.json").stat().st_mode) == 0o600
    path = link.removeprefix(served.owner.url)
    first, second = ConsoleClient(served.owner.url).get(path), ConsoleClient(served.owner.url).get(path)
    assert (first.status, second.status) == (200, 403)
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "set-cookie" not in second.headers
    assert link_of(served.platform) != link


def test_the_owner_is_told_the_link_at_any_time(served: Served) -> None:
    told = served.platform.flyte("console")
    assert told.stdout.strip() == link_of(served.platform)
    assert ConsoleClient.signed_in(told.stdout.strip()).get("/runs").status == 200


def test_a_made_up_or_changed_cookie_is_nobody(served: Served) -> None:
    name, _, value = served.owner.cookie.partition("=")
    for forged in ("", "x", value[:-4] + "AAAA", value[: len(value) // 2]):
        assert ConsoleClient(served.owner.url, cookie=f"{name}={forged}").get("/runs").status == 303


def test_nobody_can_post_much_before_it_is_known_who_posts(served: Served) -> None:
    stranger = ConsoleClient(served.owner.url)
    assert stranger.post("/login", {"key": "k" * 100_000}).status == 400
    disguised = "multipart/form-data; boundary=b; charset=punycode"
    assert stranger.post("/login", {"key": "k"}, content_type=disguised).status == 401


def test_the_page_after_the_login_is_one_of_ours(served: Served) -> None:
    for evil in ("//evil.example/", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"):
        link = link_of(served.platform).removeprefix(served.owner.url)
        page = ConsoleClient(served.owner.url).get(f"{link}&next={evil}".replace("\n", "%0a"))
        assert page.status == 200
        assert 'content="0;url=/"' in page.text


def test_a_name_that_somebody_else_points_at_this_machine_is_refused(served: Served) -> None:
    port = served.owner.host.partition(":")[2]
    for host in ("evil.example", f"evil.example:{port}", f"localhost.evil.example:{port}", "169.254.169.254"):
        assert served.owner.get("/runs", host=host).status == 403
    assert served.owner.get("/runs", host=f"localhost:{port}").status == 200


def test_changes_of_other_sites_are_refused(served: Served) -> None:
    owner, path, form = served.owner, f"{served.done}/rerun", {"form_token": served.owner.token()}
    before = owner.get("/runs").text.count("<tr id=")
    for headers in (
        {"origin": "http://evil.example", "sec_fetch_site": "cross-site"},
        {"origin": "http://evil.example", "sec_fetch_site": ""},
        {"origin": "null", "sec_fetch_site": ""},
        {"origin": "http://localhost:1", "sec_fetch_site": "same-site"},
        {"origin": owner.url, "sec_fetch_site": "cross-site"},
        {"origin": "", "sec_fetch_site": ""},
    ):
        assert owner.post(path, form, **headers).status == 403, headers
    for token in ("", "x", form["form_token"][:-1]):
        assert owner.post(path, {"form_token": token}).status == 403
    assert owner.post("/login", {"key": "x"}, origin="http://evil.example").status == 403
    assert owner.get(path).status == 405
    assert owner.get("/runs").text.count("<tr id=") == before


def test_who_signs_out_has_no_cookie(served: Served) -> None:
    answer = served.owner.post("/logout", {})
    assert answer.status == 303
    assert "max-age=0" in answer.headers["set-cookie"].lower()
