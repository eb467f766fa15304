"""What a fresh worker is given for its attempt: a token, the path of its code bundle, the values of its secrets, and
the orders that introduce the attempt to it.

A process of this machine gets all of it before it is started, over its inherited socket. A pod is started with a token
that opens no secret; its values are resolved only once it has said Hello, with a token of their own that never leaves
the platform.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder
from flyteplane.foundation.errors import Unavailable
from flyteplane.scheduler.application import orders
from flyteplane.scheduler.application.ports import Bearer

if TYPE_CHECKING:
    from flyteplane.scheduler.application.ports import BundlePath, MintToken, SecretsClient
    from flyteplane.scheduler.clients.fresh_worker import FreshWorker


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisions:
    """Provides for workers with the help of other services."""

    secrets: SecretsClient
    mint_token: MintToken
    bundle_path: BundlePath
    data_prefix: str
    """URI under which attempts keep their data."""

    def token_without_secrets(self, worker: FreshWorker) -> str:
        """A new token for a worker over the network. It opens no secret: their values come over the stream."""
        action = worker.action
        return self.mint_token(action.run.key, action.name, worker.attempt, worker.lease, ())

    async def provide(self, worker: FreshWorker) -> None:
        """Gives a worker all of it, before it is started. Raises PlatformError."""
        digest = worker.action.task.spec.entrypoint.bundle_digest
        if digest:
            worker.bundle_path = await self.bundle_path(digest)
        worker.token = self._token(worker)
        await self.resolve_secrets(worker)

    async def resolve_secrets(self, worker: FreshWorker) -> None:
        """Gives a worker the values of its secrets, as they are now. Raises PlatformError."""
        requests = worker.action.task.spec.secrets
        if requests:
            # A token of its own: the worker's may have run out while its pod waited for a place.
            action = worker.action
            worker.secret_env, worker.secret_files = await self.secrets.resolve(
                self._token(worker),
                requests,
                bearer=Bearer(action.run.key, action.name, worker.attempt, worker.lease),
            )

    async def refuse_missing_secrets(self, worker: FreshWorker) -> None:
        """Raises PlatformError for a secret that no scope has, before a pod is made for nothing."""
        requests = worker.action.task.spec.secrets
        if requests:
            # Whether the service is there matters only when a pod asks for the values.
            with suppress(Unavailable):
                await self.secrets.versions(worker.action.run.key, requests)

    def introduction(self, worker: FreshWorker) -> Sequence[WorkerOrder]:
        """Tells a worker its run, its task and its attempt, with everything that it was given."""
        action = worker.action
        attempt = orders.assign(
            action, token=worker.token, secret_env=worker.secret_env, secret_files=worker.secret_files
        )
        return (
            WorkerOrder(declare_run=orders.declare_run(action.run, data_prefix=self.data_prefix)),
            WorkerOrder(declare_task=orders.declare_task(action.task, bundle_path=worker.bundle_path)),
            WorkerOrder(lease=worker.lease, assign=attempt),
        )

    def _token(self, worker: FreshWorker) -> str:
        action = worker.action
        return self.mint_token(action.run.key, action.name, worker.attempt, worker.lease, action.task.spec.secrets)
