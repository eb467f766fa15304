"""The scheduler's migrations lead to its schema."""

from tests.support.migrations import assert_revisions_make_the_schema


async def test_the_revisions_make_the_schema() -> None:
    await assert_revisions_make_the_schema("flyteplane.scheduler.store.migrations")
