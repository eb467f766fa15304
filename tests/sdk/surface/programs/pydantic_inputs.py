"""Pydantic models with files inside, validated defaults and dicts in their place."""

from typing import List, Optional

from pydantic import BaseModel, Field

import flyte
from flyte.io import File

env = flyte.TaskEnvironment(name="pydantic_inputs")


class Item(BaseModel):
    id: int
    tags: List[str] = Field(default_factory=list)


class Order(BaseModel):
    items: List[Item]
    note: Optional[str] = None
    attachment: Optional[File] = None


@env.task
async def total(order: Order) -> int:
    return sum(item.id for item in order.items)


@env.task
async def build(n: int) -> Order:
    return Order(items=[Item(id=i, tags=[str(i)]) for i in range(n)], attachment=await File.from_local(__file__))


@env.task
async def main() -> int:
    order = await build(4)
    assert order.items[1].tags == ["1"]
    assert order.attachment is not None
    async with order.attachment.open("rb") as fh:
        assert b"Pydantic models" in bytes(await fh.read())
    return await total(order)


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(main).outputs()[0] == 6
    assert flyte.run(total, {"items": [{"id": 5}]}).outputs()[0] == 5
