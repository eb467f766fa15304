"""Every service's schema can be made in PostgreSQL, as a whole and revision by revision, with the same outcome."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection, inspect
from tests.support.migrations import assert_revisions_make_the_schema

from flyteplane.records import migrate, open_database

SERVICES = ["admin", "cache", "reuse_pool", "scheduler", "secrets"]


def package(service: str) -> str:
    return f"flyteplane.{service}.store.migrations"


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


@pytest.mark.parametrize("service", SERVICES)
async def test_the_revisions_make_the_schema(service: str, postgres_url: str) -> None:
    await assert_revisions_make_the_schema(
        package(service), whole_url=f"{postgres_url}&schema=whole", stepwise_url=f"{postgres_url}&schema=stepwise"
    )


async def test_services_share_a_database_by_schemas(postgres_url: str) -> None:
    found = {}
    for service in SERVICES:
        database = await open_database(f"{postgres_url}&schema={service}")
        await migrate(database, package=package(service))
        found[service] = await database.read(tables)
        await database.close()
    assert "runs" in found["admin"] & found["scheduler"]
    assert "runs" not in found["cache"] | found["reuse_pool"] | found["secrets"]


async def test_processes_that_start_together_make_the_schema_once(postgres_url: str) -> None:
    url = f"{postgres_url}&schema=new"
    databases = await asyncio.gather(*(open_database(url) for _ in range(3)))
    await asyncio.gather(*(migrate(database, package=package("cache")) for database in databases))
    for database in databases:
        assert "entries" in await database.read(tables)
        await database.close()
