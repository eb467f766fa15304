"""gRPC without a network, for services that live in one process.

    server = InProcessServer()
    add_SchedulerServiceServicer_to_server(servicer, server)
    stub = SchedulerServiceStub(server.channel())

Calls behave as they do over the network: cancellation, deadlines, half-close, metadata, statuses and backpressure.
What differs: messages are passed by reference, so nobody changes a message after it was sent; sizes are not limited;
and a handler starts with an empty context of its own (`contextvars`), as it would in another process.
"""

from flyteplane.rpc.inprocess.server import InProcessServer

__all__ = ["InProcessServer"]
