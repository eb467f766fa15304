"""What NetworkPolicies let through, by the rules of Kubernetes, over the manifests alone.

A connection is let through if both ends agree: the egress rules of the policies that select its source, and the
ingress rules of those that select its target. A pod that no policy of a direction selects is open in it. What is not a
pod of the manifests has labels of a namespace, or only an address; nothing restrains it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, Final

from tests.deploy.manifests import Manifests, Object, matches

#: The label by which Kubernetes tells the name of a namespace.
_NAME: Final = "kubernetes.io/metadata.name"
OUTSIDE: Final = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """One end of a connection; `namespace` is OUTSIDE for what is not in the cluster."""

    name: str
    namespace: str = OUTSIDE
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = ""


class Network:
    """The policies of an overlay."""

    def __init__(self, manifests: Manifests) -> None:
        self._policies = manifests.of("NetworkPolicy")
        self._namespaces = {
            one["metadata"]["name"]: {**one["metadata"].get("labels", {}), _NAME: one["metadata"]["name"]}
            for one in manifests.of("Namespace")
        }

    def lets_through(self, source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection can be made."""
        given = {"port": port, "protocol": protocol}
        return self._allows("Egress", source, target, given) and self._allows("Ingress", target, source, given)

    def _allows(self, direction: str, own: Peer, other: Peer, port: Mapping[str, Any]) -> bool:
        if own.namespace == OUTSIDE:
            return True
        selecting = [policy for policy in self._policies if _selects(policy, own, direction)]
        peers = {"Egress": "to", "Ingress": "from"}[direction]
        return not selecting or any(
            _opens(rule, port) and (not rule.get(peers) or any(self._is(other, each, own) for each in rule[peers]))
            for policy in selecting
            for rule in policy["spec"].get(direction.lower(), ())
        )

    def _is(self, peer: Peer, wanted: Object, own: Peer) -> bool:
        """Whether a peer is one of those that an entry of a rule names."""
        if block := wanted.get("ipBlock"):
            return bool(peer.address) and _inside(peer.address, block)
        if peer.namespace == OUTSIDE:
            return False
        labels = self._namespaces.get(peer.namespace, {_NAME: peer.namespace})
        in_namespace = (
            matches(wanted["namespaceSelector"], labels)
            if "namespaceSelector" in wanted
            else peer.namespace == own.namespace
        )
        return in_namespace and matches(wanted.get("podSelector", {}), peer.labels)


def _selects(policy: Object, pod: Peer, direction: str) -> bool:
    spec = policy["spec"]
    return (
        policy["metadata"]["namespace"] == pod.namespace
        and direction in spec["policyTypes"]
        and matches(spec["podSelector"], pod.labels)
    )


def _opens(rule: Object, port: Mapping[str, Any]) -> bool:
    ports: Sequence[Mapping[str, Any]] = rule.get("ports", ())
    return not ports or any({"protocol": "TCP", **each} == port for each in ports)


def _inside(address: str, block: Mapping[str, Any]) -> bool:
    excepted = any(ip_address(address) in ip_network(each) for each in block.get("except", ()))
    return ip_address(address) in ip_network(block["cidr"]) and not excepted
