"""From sections of the operator's file to the settings of the kits that talk to Kubernetes and etcd."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flyteplane.foundation.errors import InvalidArgument

if TYPE_CHECKING:
    from flyteplane.cluster.kubernetes.settings import KubernetesSettings
    from flyteplane.coordination import EtcdSettings
    from flyteplane.launcher import operator_schema as schema


def kubernetes_settings(given: schema.KubernetesCluster, *, kubeconfig: Path | None) -> KubernetesSettings:
    """The settings of a Kubernetes cluster. Raises InvalidArgument."""
    from flyteplane.cluster.kubernetes.settings import KubernetesSettings
    from flyteplane.cluster.pods.surroundings import ACCELERATOR_LABEL, DEFAULT_DEVICES, DeviceRule, LimitsPolicy

    for field in ("worker_endpoints", "replica_endpoints"):
        for endpoint in getattr(given, field):
            _check_host_and_port(endpoint, field=field)
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
        replica_endpoints=tuple(given.replica_endpoints),
        kubeconfig=str(kubeconfig) if kubeconfig is not None else "",
        context=given.context,
        namespace=given.namespace,
        create_namespaces=given.create_namespaces,
        contact_s=given.contact_s,
        installation=given.installation,
        image_patience_s=given.image_patience_s,
        image_pull_policy=given.image_pull_policy,
        image_pull_secrets=tuple(given.image_pull_secrets),
        limits=LimitsPolicy(cpu=given.limits.cpu, memory=given.limits.memory),
        default_requests={"cpu": given.default_requests.cpu, "memory": given.default_requests.memory},
        extra_env=tuple(variable.model_dump(exclude_unset=True) for variable in given.extra_env),
        spot_node_selector=given.spot.node_selector,
        spot_tolerations=tuple(given.spot.tolerations),
        devices={**DEFAULT_DEVICES, **devices},
        require_non_root=given.require_non_root,
        requests_per_second=given.requests_per_second,
        burst=given.burst,
    )


def etcd_settings(given: schema.Etcd, *, folder: Path) -> EtcdSettings:
    """The settings of etcd; `folder` is where relative paths begin. Raises InvalidArgument."""
    from flyteplane.coordination import EtcdSettings

    if not given.prefix.endswith("/"):
        raise InvalidArgument(
            f"the prefix {given.prefix!r} does not end with /",
            field="prefix",
            mend=f"Write {given.prefix + '/'!r}: another installation could have a prefix that begins like this one.",
        )
    return EtcdSettings(
        endpoints=tuple(given.endpoints),
        ca_file=_path(folder, given.ca_file),
        cert_file=_path(folder, given.cert_file),
        key_file=_path(folder, given.key_file),
        username=given.username,
        password_file=_path(folder, given.password_file),
        prefix=given.prefix,
        timeout_s=given.timeout_s,
    )


def _path(folder: Path, given: str | None) -> Path | None:
    return None if given is None else folder / Path(given).expanduser()


def _check_host_and_port(endpoint: str, *, field: str) -> None:
    host, _, port = endpoint.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InvalidArgument(
            f"{endpoint!r} is no endpoint that workers can reach", field=field, mend="Write HOST:PORT."
        )
