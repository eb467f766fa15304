"""From sections of the operator's file to the settings of the kits that talk to Kubernetes and etcd."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.launcher.operator_file import EtcdSettings

if TYPE_CHECKING:
    from flyteplane.cluster.kubernetes.settings import KubernetesSettings
    from flyteplane.launcher import operator_schema as schema


def kubernetes_settings(given: schema.KubernetesCluster, *, kubeconfig: Path | None) -> KubernetesSettings:
    """The settings of a Kubernetes cluster. Raises InvalidArgument."""
    from flyteplane.cluster.kubernetes.settings import KubernetesSettings
    from flyteplane.cluster.pods.surroundings import ACCELERATOR_LABEL, DEFAULT_DEVICES, DeviceRule

    for endpoint in given.worker_endpoints:
        _check_host_and_port(endpoint)
    devices = {
        name: DeviceRule(
            resource=rule.resource,
            node_label=ACCELERATOR_LABEL if rule.node_label is None else rule.node_label,
            label_values=rule.label_values,
            topology_label=rule.topology_label,
        )
        for name, rule in given.accelerators.items()
    }
    unknown = sorted(devices.keys() - DEFAULT_DEVICES.keys())
    if unknown:
        raise InvalidArgument(
            f"{', '.join(unknown)} is no class of accelerators", field="accelerators", limit=", ".join(DEFAULT_DEVICES)
        )
    return KubernetesSettings(
        name=given.name,
        default_image=given.default_image,
        worker_endpoints=tuple(given.worker_endpoints),
        kubeconfig=str(kubeconfig) if kubeconfig is not None else "",
        context=given.context,
        namespace=given.namespace,
        create_namespaces=given.create_namespaces,
        contact_s=given.contact_s,
        installation=given.installation,
        image_pull_policy=given.image_pull_policy,
        image_pull_secrets=tuple(given.image_pull_secrets),
        spot_node_selector=given.spot.node_selector,
        spot_tolerations=tuple(given.spot.tolerations),
        devices={**DEFAULT_DEVICES, **devices},
        require_non_root=given.require_non_root,
        requests_per_second=given.requests_per_second,
        burst=given.burst,
    )


def etcd_settings(given: schema.Etcd, *, files: Mapping[str, Path | None]) -> EtcdSettings:
    """The settings of etcd. Raises InvalidArgument."""
    schemes = {_scheme_of(endpoint) for endpoint in given.endpoints}
    if len(schemes) > 1:
        raise InvalidArgument("some endpoints begin with http and others with https", field="endpoints")
    tls = [name for name in ("ca_file", "cert_file", "key_file") if getattr(given, name) is not None]
    if tls and schemes == {"http"}:
        raise InvalidArgument(f"{tls[0]} is of no use with http", field=tls[0], mend="Use endpoints with https.")
    if (given.cert_file is None) != (given.key_file is None):
        raise InvalidArgument("a certificate and its key go together", field="cert_file", mend="Give both or none.")
    if bool(given.username) != (given.password_file is not None):
        raise InvalidArgument(
            "a user name and the file of its password go together", field="username", mend="Give both or none."
        )
    if not given.prefix.startswith("/") or given.prefix.endswith("/"):
        raise InvalidArgument(
            f"{given.prefix!r} is not a prefix",
            field="prefix",
            mend="Begin it with / and end it without, as in /flyte.",
        )
    return EtcdSettings(
        endpoints=tuple(given.endpoints),
        ca_file=files["ca_file"],
        cert_file=files["cert_file"],
        key_file=files["key_file"],
        username=given.username,
        password_file=files["password_file"],
        prefix=given.prefix,
    )


def _scheme_of(endpoint: str) -> str:
    if not _is_endpoint(endpoint):
        raise InvalidArgument(
            f"{endpoint!r} is no endpoint of etcd",
            field="endpoints",
            mend="Write http://HOST:PORT or https://HOST:PORT.",
        )
    return urlsplit(endpoint).scheme


def _is_endpoint(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        return bool(parts.scheme in ("http", "https") and parts.hostname and parts.port and not parts.path.strip("/"))
    except ValueError:
        return False


def _check_host_and_port(endpoint: str) -> None:
    host, _, port = endpoint.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InvalidArgument(
            f"{endpoint!r} is no endpoint that workers can reach", field="worker_endpoints", mend="Write HOST:PORT."
        )
