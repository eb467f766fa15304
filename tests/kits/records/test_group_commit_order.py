"""Group commit gives every work the outcome that it would have had alone and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from flyteplane.foundation.errors import AlreadyExists, NotFound
from flyteplane.records import open_database

#: (is it an insertion, the number)
Step = tuple[bool, int]
STEPS = st.lists(st.tuples(st.booleans(), st.integers(min_value=0, max_value=4)), max_size=25)


def work_of(step: Step) -> Callable[[Connection], str]:
    insertion, number = step

    def work(connection: Connection) -> str:
        there = connection.exec_driver_sql("SELECT 1 FROM t WHERE id = ?", (number,)).first() is not None
        if insertion:
            # The change comes before the refusal, so that a refusal which leaves something behind is noticed.
            connection.exec_driver_sql("INSERT INTO trail VALUES (?)", (number,))
            if there:
                raise AlreadyExists("there")
            connection.exec_driver_sql("INSERT INTO t VALUES (?)", (number,))
            return "inserted"
        if not there:
            raise NotFound("not there")
        connection.exec_driver_sql("DELETE FROM t WHERE id = ?", (number,))
        return "deleted"

    return work


def expected(steps: list[Step]) -> tuple[list[str], set[int], int]:
    outcomes, there, trail = [], set[int](), 0
    for insertion, number in steps:
        if insertion and number not in there:
            there.add(number)
            trail += 1
            outcomes.append("inserted")
        elif not insertion and number in there:
            there.remove(number)
            outcomes.append("deleted")
        else:
            outcomes.append("AlreadyExists" if insertion else "NotFound")
    return outcomes, there, trail


async def observed(steps: list[Step], most: int) -> tuple[list[str], set[int], int]:
    database = await open_database("sqlite://")
    for table in ("t", "trail"):
        await database.write(lambda c, table=table: c.exec_driver_sql(f"CREATE TABLE {table} (id INTEGER)"))  # type: ignore[misc]
    writer = database.writer(most=most)
    results = await asyncio.gather(*(writer.submit(work_of(step)) for step in steps), return_exceptions=True)
    outcomes = [result if isinstance(result, str) else type(result).__name__ for result in results]
    there = await database.read(lambda c: set(c.exec_driver_sql("SELECT id FROM t").scalars()))
    trail = await database.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM trail").scalar_one())
    await writer.close()
    await database.close()
    return outcomes, there, trail


@given(STEPS, st.integers(min_value=1, max_value=30))
def test_the_outcomes_are_those_of_one_after_another(steps: list[Step], most: int) -> None:
    assert asyncio.run(observed(steps, most)) == expected(steps)
