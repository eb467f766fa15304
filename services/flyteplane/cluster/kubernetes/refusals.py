"""Refusals of the API server as the port's errors: what may be tried again, and what is of no use."""

from __future__ import annotations

import re
from typing import Final

from flyteplane.cluster.kubernetes.trouble import ApiFailure, ApiUnreachable, KubernetesTrouble
from flyteplane.foundation.errors import (
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PlatformError,
    ResourceExhausted,
    Unavailable,
)

#: When to try again after a quota refused a pod: it is freed by pods that end, of which nobody tells.
_QUOTA_RETRY_S: Final = 15.0
#: After a refusal that passes by itself, such as two creations that met.
_RETRY_S: Final = 1.0
_WEBHOOK: Final = re.compile(r'admission webhook "([^"]+)" denied the request')
_QUOTA: Final = re.compile(r"exceeded quota|forbidden: failed quota")
_ACCOUNT: Final = re.compile(r'serviceaccount "([^"]+)" not found')
_NAMESPACE_ENDS: Final = re.compile(r"because it is being terminated")


def refused_creation(trouble: KubernetesTrouble, *, namespace: str, cluster: str) -> PlatformError:
    """Why a pod could not be created."""
    if isinstance(trouble, ApiUnreachable) or not isinstance(trouble, ApiFailure):
        return unavailable(trouble)
    message = trouble.message
    if (webhook := _WEBHOOK.search(message)) is not None:
        return InvalidArgument(
            f"cluster {cluster} does not take the pod: {message}",
            reason="WEBHOOK_DENIED",
            mend=f"Meet what the admission webhook {webhook[1]} asks for, or ask the cluster's operator.",
        )
    if trouble.transient:
        return unavailable(trouble)
    if trouble.status == 403:
        return _forbidden(message, namespace=namespace, cluster=cluster)
    if trouble.status == 401:
        return unavailable(trouble)
    if trouble.status == 404:
        return missing_namespace(namespace, cluster=cluster, detail=message)
    if trouble.status == 409:
        # Quotas are counted with optimistic locks: two creations at once may meet there.
        return Unavailable(message, reason="CLUSTER_CONFLICT", retry_after_s=_RETRY_S)
    return InvalidArgument(
        f"cluster {cluster} does not take the pod: {message}",
        reason="INVALID_POD",
        field="pod_template",
        mend="Mend the pod template or the setting that the message names.",
    )


def _forbidden(message: str, *, namespace: str, cluster: str) -> PlatformError:
    if _QUOTA.search(message):
        return ResourceExhausted(
            f"a quota of namespace {namespace} in cluster {cluster} is used up: {message}",
            reason="QUOTA_EXCEEDED",
            retry_after_s=_QUOTA_RETRY_S,
        )
    if _NAMESPACE_ENDS.search(message):
        return missing_namespace(namespace, cluster=cluster, detail=message)
    if (account := _ACCOUNT.search(message)) is not None:
        return _missing_account(account[1], namespace=namespace, cluster=cluster)
    if "cannot create resource" in message:
        # An operator's mistake, which the next attempt may find mended: no task's fault.
        return Unavailable(
            f"the platform may not create pods in namespace {namespace} of cluster {cluster}: {message}",
            reason="CLUSTER_FORBIDS",
            retry_after_s=_QUOTA_RETRY_S,
            mend="Give its account the right to create, get, list, watch and delete pods there.",
        )
    return InvalidArgument(
        f"cluster {cluster} forbids the pod: {message}",
        reason="POD_FORBIDDEN",
        field="pod_template",
        mend="Meet the policy that the message names, or ask the cluster's operator.",
    )


def _missing_account(account: str, *, namespace: str, cluster: str) -> PlatformError:
    message = f"namespace {namespace} of cluster {cluster} has no service account {account}"
    if account == "default":
        # A new namespace is given it a moment after it was made.
        return Unavailable(message, reason="NAMESPACE_NOT_READY", retry_after_s=_RETRY_S)
    return NotFound(
        message, reason="SERVICE_ACCOUNT_NOT_FOUND", field="service_account", mend="Create it, or name another."
    )


def missing_namespace(namespace: str, *, cluster: str, detail: str) -> NotFound:
    """The namespace of a worker is not there."""
    return NotFound(
        f"cluster {cluster} has no namespace {namespace}: {detail}",
        reason="NAMESPACE_NOT_FOUND",
        mend=f"Create it (kubectl create namespace {namespace}), or let the platform create namespaces.",
    )


def unavailable(trouble: KubernetesTrouble) -> Unavailable:
    """The cluster cannot be asked now."""
    wait = trouble.retry_after_s if isinstance(trouble, ApiFailure) else None
    return Unavailable(trouble.message, reason="CLUSTER_UNREACHABLE", retry_after_s=wait or _RETRY_S)


def refused_opening(trouble: KubernetesTrouble, *, server: str, source: str) -> PlatformError:
    """Why a cluster cannot be used at all, as its operator should read it."""
    if isinstance(trouble, ApiFailure) and trouble.status == 403:
        return PermissionDenied(
            f"{server} ({source}) does not let the platform list pods: {trouble.message}",
            reason="CLUSTER_FORBIDS",
            mend="Give its account the right to create, get, list, watch and delete pods, and to read their logs.",
        )
    if isinstance(trouble, ApiFailure) and trouble.status == 401:
        return PermissionDenied(
            f"{server} refuses the credentials of {source}: they are wrong or have expired",
            reason="CREDENTIALS_REFUSED",
            mend="Log in again, or put a valid token or certificate there.",
        )
    return Unavailable(
        trouble.message,
        reason="CLUSTER_UNREACHABLE",
        mend=f"Check that {server}, which {source} names, is the right address and is running.",
    )
