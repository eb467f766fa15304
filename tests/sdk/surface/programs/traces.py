"""Traced helper functions: coroutines, functions and generators."""

from typing import AsyncIterator, Dict, List

import flyte

env = flyte.TaskEnvironment(name="traces")


@flyte.trace
async def call_llm(prompt: str, temperature: float = 0.5) -> str:
    return f"{prompt}:{temperature}"


@flyte.trace
def parse(text: str) -> Dict[str, float]:
    key, value = text.split(":")
    return {key: float(value)}


@flyte.trace
async def stream(n: int) -> AsyncIterator[int]:
    for i in range(n):
        yield i


@env.task
async def agent(prompts: List[str]) -> Dict[str, float]:
    out: Dict[str, float] = {}
    for prompt in prompts:
        out.update(parse(await call_llm(prompt)))
    async for i in stream(3):
        out[f"s{i}"] = float(i)
    return out


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(agent, prompts=["a", "b"]).outputs()[0] == {"a": 0.5, "b": 0.5, "s0": 0.0, "s1": 1.0, "s2": 2.0}
