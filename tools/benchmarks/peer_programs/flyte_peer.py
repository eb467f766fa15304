"""The peer SDK on the benchmark, in its local mode: in process and not durable. Prints figures as one JSON line."""

import asyncio
import json
import statistics
import subprocess
import sys
import time

BEGAN = time.perf_counter()


def main(scenario):
    """Figures of one scenario."""
    if scenario == "import":

        def best(statement):
            times = []
            for _ in range(5):
                began = time.perf_counter()
                subprocess.run([sys.executable, "-c", statement], check=True)
                times.append(time.perf_counter() - began)
            return min(times)

        return {"ms": (best("import flyte") - best("pass")) * 1e3}
    if scenario == "conversion":
        return conversion()
    import flyte

    env = flyte.TaskEnvironment(name="bench")

    @env.task
    async def child(number: int) -> int:
        return number

    @env.task
    async def sequence(count: int) -> list[float]:
        times = []
        for number in range(count):
            began = time.perf_counter()
            await child(number)
            times.append(time.perf_counter() - began)
        return times

    @env.task
    async def fan_out(count: int) -> float:
        began = time.perf_counter()
        await asyncio.gather(*(child(number) for number in range(count)))
        return time.perf_counter() - began

    flyte.init()

    def run(task, **inputs):
        return flyte.with_runcontext(mode="local").run(task, **inputs).outputs()[0]

    if scenario == "cold-start":
        run(child, number=1)
        return {"first_result_ms": (time.perf_counter() - BEGAN) * 1e3}
    if scenario == "warm-child":
        times = run(sequence, count=300)
        ordered = sorted(times)
        return {"p50_ms": statistics.median(times) * 1e3, "p99_ms": ordered[int(len(ordered) * 0.99)] * 1e3}
    if scenario == "fan-out-1000":
        seconds = run(fan_out, count=1000)
        return {"per_second": 1000 / seconds, "us_per_action": seconds * 1e3}
    return {}


def conversion():
    """Figures of the types of the SDK for a large value."""
    import nested_rows
    from flyteidl2.core.literals_pb2 import Literal

    from flyte.types import TypeEngine

    given, kind = nested_rows.rows(), list[nested_rows.Row]
    expected = TypeEngine.to_literal_type(kind)

    def encode():
        return asyncio.run(TypeEngine.to_literal(given, kind, expected)).SerializeToString()

    content = encode()
    return nested_rows.figures(
        encode, lambda: asyncio.run(TypeEngine.to_python_value(Literal.FromString(content), kind))
    )


print(json.dumps(main(sys.argv[1])))
