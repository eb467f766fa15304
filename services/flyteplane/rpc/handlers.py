"""Calling a servicer's method, whatever its form.

A method that answers once is a coroutine; one that answers with a stream is an async generator, or a coroutine that
uses `context.write`. A method that the servicer does not have is a plain function that raises NotImplementedError; it
is called directly, so servicers must not contain blocking plain functions.
"""

import inspect
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc

#: A servicer's method: (request or request iterator, context) -> response, responses, or nothing.
Behaviour: TypeAlias = Callable[[Any, Any], Any]
#: What generated code makes of a servicer's method.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def behaviour_of(handler: Handler) -> Behaviour:
    """The servicer's method in a handler that generated code made."""
    if handler.request_streaming:
        behaviour = handler.stream_stream if handler.response_streaming else handler.stream_unary
    else:
        behaviour = handler.unary_stream if handler.response_streaming else handler.unary_unary
    assert behaviour is not None
    return behaviour


def with_behaviour(handler: Handler, behaviour: Behaviour) -> Handler:
    """The same handler around another method of the same form."""
    forms = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    make = forms[handler.request_streaming, handler.response_streaming]
    return make(behaviour, handler.request_deserializer, handler.response_serializer)


async def answer_once(behaviour: Behaviour, request: Any, context: Any) -> Any:
    """Call a method that answers once, and return its response."""
    answer = behaviour(request, context)
    return await answer if inspect.isawaitable(answer) else answer


async def answer_stream(behaviour: Behaviour, request: Any, context: Any) -> None:
    """Call a method that answers with a stream, and write its responses to the context."""
    answer = behaviour(request, context)
    if inspect.isasyncgen(answer):
        async with aclosing(answer):
            async for response in answer:
                await context.write(response)
    elif hasattr(answer, "__aiter__"):
        async for response in answer:
            await context.write(response)
    elif inspect.isawaitable(answer):
        await answer
