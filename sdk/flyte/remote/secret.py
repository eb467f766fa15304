"""Secrets of the platform: written here, read only by the attempts that may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Literal

from flyte.client.call_ids import new_request_id
from flyte.client.channel import connection
from flyte.remote.action import moment
from flyte.remote.message_view import MessageView
from flyte.remote.secret_access import SecretAccess
from flyte.syncify import syncify
from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.secrets.v1 import secrets_service_pb2 as api

SecretTypes = Literal["regular", "image_pull"]


class Secret(MessageView):
    """What is known of a secret; never its value.

    A secret holds in a scope: a project and domain, a project, a domain in all projects, or everywhere (neither given).
    """

    def __init__(self, message: api.SecretInfo) -> None:
        self.message = message

    def __repr__(self) -> str:
        return f"Secret(name={self.name!r}, scope={self.scope!r}, version={self.version})"

    @property
    def name(self) -> str:
        """The key."""
        return self.message.key

    @property
    def group(self) -> str:
        """The group, empty if it has none."""
        return self.message.group

    @property
    def type(self) -> SecretTypes:
        """What kind of secret."""
        return "regular"

    @property
    def scope(self) -> str:
        """Where it holds, for people: "project/domain" with "*" for all."""
        return f"{self.message.scope.project or '*'}/{self.message.scope.domain or '*'}"

    @property
    def version(self) -> int:
        """Grows with every update, from 1."""
        return self.message.version

    @property
    def created_time(self) -> datetime:
        """When it was made, in UTC."""
        return moment(self.message.created_at)

    @property
    def updated_time(self) -> datetime:
        """When its value changed last, in UTC."""
        return moment(self.message.updated_at)

    @syncify.class_method
    @classmethod
    async def create(
        cls,
        name: str,
        value: str | bytes,
        type: SecretTypes = "regular",
        cluster_pool: str | None = None,
        *,
        group: str = "",
        project: str = "",
        domain: str = "",
    ) -> Secret:
        """Store a new secret. Raises RuntimeUserError with code AlreadyExists if the scope has one of this name."""
        _refuse_type(type)
        _refuse_pool(cluster_pool)
        request = api.CreateSecretRequest(
            key=name,
            group=group,
            scope=Scope(project=project, domain=domain),
            value=_bytes(value),
            request_id=new_request_id(),
        )
        platform = connection()
        return cls((await platform.change(platform.secrets.CreateSecret, request)).secret)

    @syncify.class_method
    @classmethod
    async def update(
        cls, name: str, value: str | bytes, *, group: str = "", project: str = "", domain: str = ""
    ) -> Secret:
        """Store a new version; attempts that run keep what they were given."""
        request = api.UpdateSecretRequest(
            key=name,
            group=group,
            scope=Scope(project=project, domain=domain),
            value=_bytes(value),
            request_id=new_request_id(),
        )
        platform = connection()
        return cls((await platform.change(platform.secrets.UpdateSecret, request)).secret)

    @syncify.class_method
    @classmethod
    async def get(
        cls, name: str, cluster_pool: str | None = None, *, group: str = "", project: str = "", domain: str = ""
    ) -> Secret:
        """Return what is known of a secret. Raises RuntimeUserError with code NotFound if there is none."""
        _refuse_pool(cluster_pool)
        platform = connection()
        request = api.GetSecretRequest(key=name, group=group, scope=Scope(project=project, domain=domain))
        return cls((await platform.call(platform.secrets.GetSecret, request)).secret)

    @syncify.iterator_class_method
    @classmethod
    async def listall(
        cls,
        limit: int = 10,
        cluster_pool: str | None = None,
        *,
        project: str | None = None,
        domain: str | None = None,
    ) -> AsyncIterator[Secret]:
        """Yield secrets: of all scopes, or of the one that is given; at most `limit`."""
        _refuse_pool(cluster_pool)
        scope = None if project is None and domain is None else Scope(project=project or "", domain=domain or "")
        platform, left = connection(), limit
        request = api.ListSecretsRequest(scope=scope, page_size=platform.page_size(limit))
        while left > 0:
            page = await platform.call(platform.secrets.ListSecrets, request)
            for message in page.secrets[:left]:
                yield cls(message)
            left -= len(page.secrets)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    @syncify.class_method
    @classmethod
    async def delete(
        cls, name: str, cluster_pool: str | None = None, *, group: str = "", project: str = "", domain: str = ""
    ) -> None:
        """Delete all versions. Raises RuntimeUserError with code NotFound if there is none."""
        _refuse_pool(cluster_pool)
        platform = connection()
        request = api.DeleteSecretRequest(
            key=name, group=group, scope=Scope(project=project, domain=domain), request_id=new_request_id()
        )
        await platform.change(platform.secrets.DeleteSecret, request)

    @syncify.iterator_class_method
    @classmethod
    async def accesses(
        cls, name: str = "", *, group: str = "", project: str = "", domain: str = "", limit: int = 100
    ) -> AsyncIterator[SecretAccess]:
        """Yield who was given secrets and who was refused, the newest first; at most `limit`.

        Args:
            name: only of this key (and group); empty: of all, and requests that were refused before they were read.
            project: only of runs and pools of this project.
            domain: only of runs and pools of this domain.
        """
        platform, left = connection(), limit
        request = api.ListAccessesRequest(
            key=name,
            group=group,
            scope=Scope(project=project, domain=domain),
            page_size=platform.page_size(limit),
        )
        while left > 0:
            page = await platform.call(platform.secrets.ListAccesses, request)
            for message in page.accesses[:left]:
                yield SecretAccess(message)
            left -= len(page.accesses)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _refuse_type(type: str) -> None:
    if type != "regular":
        raise ValueError(f"Secrets of type {type!r} are not supported on this platform; use 'regular'.")


def _refuse_pool(cluster_pool: str | None) -> None:
    if cluster_pool is not None:
        raise ValueError(
            "Secrets belong to projects and domains here, not to pools of clusters: leave cluster_pool out."
        )
