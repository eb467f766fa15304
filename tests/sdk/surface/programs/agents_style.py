"""A program that chooses its own path: while loops, branches, early ends, child counts known only at run time."""

import asyncio
import random
from dataclasses import dataclass
from typing import List, Tuple

import flyte

env = flyte.TaskEnvironment(name="agents_style", resources=flyte.Resources(cpu=1))


@dataclass
class Step:
    tool: str
    score: float


@env.task
async def plan(goal: str, history: List[Step]) -> Tuple[str, bool]:
    return f"tool-{len(history)}", len(history) >= 3


@env.task(retries=2)
async def use(tool: str, seed: int) -> Step:
    return Step(tool=tool, score=random.Random(seed).random())


@env.task
async def best(steps: List[Step]) -> Step:
    return max(steps, key=lambda step: step.score)


@env.task
async def agent(goal: str) -> Tuple[Step, int]:
    history: List[Step] = []
    rounds = 0
    while True:
        tool, done = await plan(goal, history)
        if done:
            break
        with flyte.group(f"round-{rounds}"):
            steps = await asyncio.gather(*(use(tool, seed) for seed in range(rounds + 2)), return_exceptions=True)
        history.append(await best([s for s in steps if isinstance(s, Step)]))
        rounds += 1
    for finished in asyncio.as_completed([use("last", seed) for seed in range(2)]):
        assert (await finished).tool == "last"
    return await best(history), rounds


if __name__ == "__main__":
    flyte.init_from_config()
    step, rounds = flyte.run(agent, goal="g").outputs()
    assert rounds == 3 and step.tool.startswith("tool-")
