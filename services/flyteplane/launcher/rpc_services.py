"""Which rpc services each service of the platform serves, by their descriptors.

For whoever serves or guards them without having their servicers: the endpoint that passes calls on, and the gate of
a scheduler that stands by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from flyteapi.admin.v1 import (
    data_service_pb2,
    edge_service_pb2,
    identity_service_pb2,
    project_service_pb2,
    run_service_pb2,
    task_service_pb2,
    trigger_service_pb2,
)
from flyteapi.cache.v1 import cache_service_pb2
from flyteapi.reuse_pool.v1 import replica_service_pb2, reuse_pool_service_pb2
from flyteapi.scheduler.v1 import (
    cluster_service_pb2,
    queue_service_pb2,
    resource_class_service_pb2,
    scheduler_service_pb2,
    worker_data_service_pb2,
    worker_service_pb2,
)
from flyteapi.secrets.v1 import secrets_service_pb2

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor

_FILES: Final[Mapping[str, Sequence[FileDescriptor]]] = {
    "admin": (
        run_service_pb2.DESCRIPTOR,
        task_service_pb2.DESCRIPTOR,
        project_service_pb2.DESCRIPTOR,
        data_service_pb2.DESCRIPTOR,
        identity_service_pb2.DESCRIPTOR,
        edge_service_pb2.DESCRIPTOR,
        trigger_service_pb2.DESCRIPTOR,
    ),
    "scheduler": (
        scheduler_service_pb2.DESCRIPTOR,
        queue_service_pb2.DESCRIPTOR,
        resource_class_service_pb2.DESCRIPTOR,
        cluster_service_pb2.DESCRIPTOR,
    ),
    "cache": (cache_service_pb2.DESCRIPTOR,),
    "secrets": (secrets_service_pb2.DESCRIPTOR,),
    "reuse_pool": (reuse_pool_service_pb2.DESCRIPTOR,),
}
_WORKER_FILES: Final[Mapping[str, Sequence[FileDescriptor]]] = {
    "scheduler": (worker_service_pb2.DESCRIPTOR, worker_data_service_pb2.DESCRIPTOR),
    "reuse_pool": (replica_service_pb2.DESCRIPTOR,),
}


def rpc_services(service: str) -> Sequence[ServiceDescriptor]:
    """What a service of the platform serves to clients and to the other services."""
    return _services_in(_FILES[service])


def worker_rpc_services(service: str) -> Sequence[ServiceDescriptor]:
    """What workers call of a service, on a listener of its own."""
    return _services_in(_WORKER_FILES.get(service, ()))


def request_readers() -> Mapping[str, Callable[[bytes], Any]]:
    """How to read the requests of every rpc that clients may call, by its full name."""
    from google.protobuf.message_factory import GetMessageClass

    return {
        f"/{service.full_name}/{method.name}": GetMessageClass(method.input_type).FromString
        for name in _FILES
        for service in rpc_services(name)
        for method in service.methods
    }


def _services_in(files: Sequence[FileDescriptor]) -> Sequence[ServiceDescriptor]:
    return [service for file in files for service in file.services_by_name.values()]
