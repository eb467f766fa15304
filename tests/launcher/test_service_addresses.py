"""The `services:` section of the operator's file: what it may say, and how it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.launcher.service_addresses import ServiceAddresses


def test_nothing_said_means_that_services_find_each_other() -> None:
    assert ServiceAddresses.parse(None) == ServiceAddresses()
    assert ServiceAddresses.parse({}) == ServiceAddresses()
    assert ServiceAddresses().addresses == {}


def test_everything_that_can_be_said_becomes_a_value() -> None:
    said = {
        "addresses": {"cache": "10.0.0.5:7001", "secrets": "unix:/run/flyte/secrets.sock"},
        "worker_listen": "0.0.0.0:7100",
        "database": "postgresql://flyte@db/flyte",
        "lease_seconds": 6,
    }
    assert ServiceAddresses.parse(said) == ServiceAddresses(
        addresses={"cache": "10.0.0.5:7001", "secrets": "unix:/run/flyte/secrets.sock"},
        worker_listen="0.0.0.0:7100",
        database="postgresql://flyte@db/flyte",
        lease_s=6.0,
    )


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (["cache"], "services"),
        ({"adresses": {}}, "services.adresses"),
        ({"addresses": ["cache"]}, "services.addresses"),
        ({"addresses": {"cash": "host:1"}}, "services.addresses.cash"),
        ({"addresses": {"cache": 7001}}, "services.addresses.cache"),
        ({"addresses": {"cache": "host"}}, "services.addresses.cache"),
        ({"addresses": {"cache": "host:99999"}}, "services.addresses.cache"),
        ({"addresses": {"cache": "unix:relative"}}, "services.addresses.cache"),
        ({"worker_listen": "unix:/socket"}, "services.worker_listen"),
        ({"worker_listen": 7100}, "services.worker_listen"),
        ({"database": "sqlite:///file.db"}, "services.database"),
        ({"database": "postgresql://host"}, "services.database"),
        ({"database": "postgresql://host/flyte?schema=own"}, "services.database"),
        ({"lease_seconds": 1}, "services.lease_seconds"),
        ({"lease_seconds": 301}, "services.lease_seconds"),
        ({"lease_seconds": "ten"}, "services.lease_seconds"),
        ({"lease_seconds": True}, "services.lease_seconds"),
        ({"lease_seconds": float("nan")}, "services.lease_seconds"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_by_its_name(said: Any, field: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        ServiceAddresses.parse(said)
    assert (refusal.value.reason, refusal.value.field) == ("OPERATOR_FILE", field)
    assert refusal.value.mend


def test_every_service_has_a_schema_of_its_own_in_one_database() -> None:
    where = ServiceAddresses(database="postgresql://flyte@/flyte?host=/run/postgres")
    assert where.database_url("cache") == "postgresql://flyte@/flyte?host=%2Frun%2Fpostgres&schema=cache"
    assert ServiceAddresses().database_url("cache") == ""
