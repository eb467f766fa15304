"""Canaries of several processes: whatever tasks do with their secrets, no store of the platform holds a value after it.

Searched are every value of every row of PostgreSQL and the server's own files, all that etcd was told in the run and
its files, every file of the platform, what its processes print, what the command line shows, and the page of metrics.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.canary import Canary, etcd_history, files_below, postgres_values, sightings
from tests.support.command_line import flyte_here
from tests.support.deployment import SERVICES, Deployment
from tests.support.etcd import EtcdServer, free_ports, require_etcd
from tests.support.postgres import PostgresServer, make_server
from tests.system.canaries import canary

import flyte
from flyte.client.init import set_settings
from flyte.remote import Run

CANARIES = Path(__file__).parent / "canaries"
#: What a task hands on is data of its user, and lies where outputs and what is made of them lie. The files of the
#: database cannot be told apart by what they hold; its rows can.
OWN_OUTPUTS = ("objects/data/", "scheduler.actions.outputs", "scheduler.event_segments.batch", "postgres ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """A platform on PostgreSQL and etcd, with three canaries."""

    deployment: Deployment
    etcd: EtcdServer
    postgres: PostgresServer
    database: str
    metrics: tuple[str, ...]
    kept: tuple[Canary, Canary]
    given: Canary

    def flyte(self, *arguments: str, stdin: str = "") -> str:
        """What a command says; it has to end well."""
        command = ("--endpoint", self.deployment.endpoint, *arguments)
        done = flyte_here(*command, env={"HOME": str(self.deployment.data)}, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def stored(self) -> list[tuple[str, bytes]]:
        """Every byte that was stored, by where it is."""
        url = self.postgres.url(self.database)
        rows = asyncio.run(postgres_values(url))
        pages = [(f"postgres {name}", content) for name, content in files_below(self.postgres.folder / "data")]
        files = list(files_below(self.deployment.data))
        told = [("etcd file " + name, content) for name, content in files_below(self.etcd.data)]
        return [*rows, *files, *told, *etcd_history(self.etcd.endpoint, since=0), *pages]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searched]:
    """The platform, and this process as its client."""
    require_etcd()
    folder = tmp_path_factory.mktemp("canaries")
    with (
        tempfile.TemporaryDirectory(prefix="flyteplane-pg-", dir="/tmp") as name,
        EtcdServer(folder / "etcd") as etcd,
    ):
        postgres = make_server(Path(name))
        postgres.start()
        database = postgres.create_database()
        config = json.dumps({"services": {"database": postgres.url(database)}})
        metrics = tuple(f"127.0.0.1:{port}" for port in free_ports(2))
        options = {name: ["--metrics-listen", page] for name, page in zip((SERVICES, "s1"), metrics, strict=True)}
        try:
            with Deployment(folder / "platform", etcd, schedulers=1, config=config, options_of=options) as deployment:
                flyte.init(endpoint=deployment.endpoint, root_dir=CANARIES)
                kept = (Canary(), Canary())
                yield Searched(
                    deployment=deployment,
                    etcd=etcd,
                    postgres=postgres,
                    database=database,
                    metrics=metrics,
                    kept=kept,
                    given=Canary(),
                )
        finally:
            set_settings(None)
            postgres.stop()


def test_no_store_holds_a_value_after_tasks_have_told_it_in_every_way(searched: Searched) -> None:
    searched.flyte("create", "secret", "CANARY", "-p", "flytesnacks", stdin="an older value")
    searched.flyte("update", "secret", "CANARY", "-p", "flytesnacks", stdin=searched.kept[0].value)
    searched.flyte("create", "secret", "CANARY_FILE", "--group", "team", stdin=searched.kept[1].value)
    searched.flyte("create", "secret", "GIVEN_CANARY", "-d", "development", stdin=searched.given.value)
    run = flyte.run(canary.all_of_them)
    run.wait()
    shown = shown_of(searched, run)
    told = run.outputs()[0]
    assert told[-2:] == [str(len(searched.given.value)), str(20_000 * len(searched.given.value))]
    assert all("[secret]" in text for text in told[:-2]), told
    doors = ("print", "logging", "descriptor", "program")
    assert [door for door in doors if shown.count(f"{door} [secret]") < 2] == [], shown
    assert sightings([*searched.kept, searched.given], "shown", shown) == []
    searched.flyte("update", "secret-keys", "--new")

    stored = searched.stored()
    found = [one for where, content in stored for one in sightings(searched.kept, where, content)]
    assert found == []
    # The one that was handed on lies where data lies, and nowhere else.
    given = {where for where, content in stored if searched.given.sightings(where, content)}
    assert {where for where in given if where.startswith("objects/data/")}
    assert [where for where in given if not where.startswith(OWN_OUTPUTS)] == []
    # And the search sees what is there.
    assert any(b"print [secret]" in content for _, content in stored)
    assert {"secrets.secrets.content", "scheduler.actions.error"} <= {where for where, _ in stored}


def shown_of(searched: Searched, run: Run) -> str:
    """What the platform tells of a run that is over, and of its secrets."""
    commands = (
        ("get", "logs", run.name, "--all"),
        ("get", "run", run.name, "--json"),
        ("get", "action", run.name, "--json"),
        ("get", "action", run.name, "a0", "--explain"),
        ("get", "secret"),
        ("get", "secret", "--audit", "--json"),
        ("get", "secret-keys"),
    )
    said = [searched.flyte(*command) for command in commands]
    said += [searched.deployment[name].log for name in (SERVICES, "s1")]
    metrics = "".join(metrics_of(address) for address in searched.metrics)
    assert "# TYPE" in metrics
    said.append(metrics)
    return "\n".join(said)


def metrics_of(address: str) -> str:
    """The page of metrics."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as page:
        return str(page.read().decode())
