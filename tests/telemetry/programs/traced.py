"""A parent with two children, each of which makes a span of its own."""

import asyncio
import os

import flyte

env = flyte.TaskEnvironment("traced")


def own_span(name: str) -> None:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(insecure=True)))
    with provider.get_tracer("user").start_as_current_span(name):
        pass


@flyte.trace
async def looked_up(number: int) -> int:
    return number


@env.task
async def child(number: int) -> str:
    own_span(f"own work {number}")
    await looked_up(number)
    return os.environ["TRACEPARENT"]


@env.task(retries=1)
async def failing() -> str:
    raise ValueError("a text that is nobody's business")


@env.task
async def parent() -> list[str]:
    return list(await asyncio.gather(child(1), child(2)))


@env.task
async def untraced() -> str:
    return os.environ.get("TRACEPARENT", "none")
