"""Networks let through every connection that the platform makes, and no other."""

from __future__ import annotations

import ast
import inspect
import re
from itertools import product
from typing import Final
from urllib.parse import urlsplit

import pytest
import yaml
from tests.deploy.conftest import render
from tests.deploy.manifests import Manifests
from tests.deploy.network import Network, Peer
from tests.deploy.test_operator_files import written

from flyteplane.launcher import services

#: Whom each service calls on the port between processes. All look for the leader among their own kind, to be ready.
CALLS: Final = {
    "admin": {"admin", "scheduler", "reuse-pool", "cache", "secrets"},
    "scheduler": {"scheduler", "reuse-pool", "cache", "secrets"},
    "reuse-pool": {"reuse-pool", "secrets"},
    "cache": {"cache"},
    "secrets": {"secrets"},
}
INTERNAL, WORKERS, METRICS, CLIENTS, CONSOLE = 7001, 7100, 9464, 7000, 7780
PORTS: Final = (INTERNAL, WORKERS, METRICS, CLIENTS, CONSOLE, 80)
#: Addresses of the examples in network.yaml.
POSTGRES, ETCD, OBJECTS = (Peer(name, address=f"10.0.{net}.7") for name, net in (("sql", 10), ("etcd", 11), ("s3", 12)))
API_SERVER: Final = Peer("api server", address="10.0.0.1")
SOMEBODY: Final = Peer("somebody", address="203.0.113.9")
WORKER: Final = Peer("worker", "flyteplane-workers", {"any": "labels"})
PROMETHEUS: Final = Peer("prometheus", "monitoring", {"app": "prometheus"})
INGRESS: Final = Peer("ingress", "ingress", {"app": "ingress"})
NEIGHBOUR: Final = Peer("neighbour", "default", {"app": "neighbour"})
DNS: Final = Peer("dns", "kube-system", {"k8s-app": "kube-dns"})

Connection = tuple[str, str, int]


def pods_of(manifests: Manifests) -> dict[str, Peer]:
    return {pod.name: Peer(pod.name, pod.namespace, pod.labels) for pod in manifests.pods()}


def test_the_table_is_what_services_are_given() -> None:
    tree = ast.parse(inspect.getsource(services))
    given: dict[str, set[str]] = {name: set() for name in CALLS}
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)):
        called = re.findall(r"given\.channels\['(\w+)'\]", ast.unparse(function))
        for service in (name for name in CALLS if name.replace("-", "_") in function.name):
            given[service] |= {name.replace("_", "-") for name in called}
    assert given["scheduler"] == CALLS["scheduler"] - {"scheduler"}
    assert given["reuse-pool"] == CALLS["reuse-pool"] - {"reuse-pool"}
    # Admin passes on whatever clients ask of the others.
    assert given["admin"] < CALLS["admin"]
    assert not given["cache"] | given["secrets"]


def test_inside_nobody_reaches_more_than_it_calls(production: Manifests) -> None:
    network, pods = Network(production), pods_of(production)
    others = (WORKER, PROMETHEUS, INGRESS, NEIGHBOUR, SOMEBODY)
    wanted: set[Connection] = {(one, other, INTERNAL) for one, called in CALLS.items() for other in called}
    wanted |= {(WORKER.name, name, WORKERS) for name in ("scheduler", "reuse-pool")}
    wanted |= {(PROMETHEUS.name, name, METRICS) for name in CALLS}
    wanted |= {(peer.name, "admin", CLIENTS) for peer in (PROMETHEUS, INGRESS, NEIGHBOUR, SOMEBODY)}
    wanted |= {(INGRESS.name, "admin", CONSOLE)}
    found = {
        (source.name, target.name, port)
        for source, target, port in product((*pods.values(), *others), pods.values(), PORTS)
        if network.lets_through(source, target, port)
    }
    assert found == wanted


def test_outside_nobody_reaches_more_than_its_stores(production: Manifests) -> None:
    network, pods = Network(production), pods_of(production)
    targets = (POSTGRES, ETCD, OBJECTS, API_SERVER, SOMEBODY, PROMETHEUS, NEIGHBOUR, WORKER)
    wanted: set[Connection] = {(name, POSTGRES.name, 5432) for name in pods}
    for name in CALLS:
        wanted |= {(name, ETCD.name, 2379), (name, OBJECTS.name, 443), (name, PROMETHEUS.name, 4317)}
    wanted |= {(name, API_SERVER.name, port) for name in ("scheduler", "reuse-pool") for port in (443, 6443)}
    found = {
        (source.name, target.name, port)
        for source, target, port in product((*pods.values(), WORKER), targets, (22, 443, 2379, 4317, 5432, 6443))
        if network.lets_through(source, target, port)
    }
    # Webhooks are anywhere; what is private is not.
    wanted.add(("admin", SOMEBODY.name, 443))
    # Nothing restrains those who are reached in a namespace that is not ours; workers may reach nothing of it.
    assert found == wanted


def test_the_ports_of_the_stores_are_those_of_the_operators_file(production: Manifests) -> None:
    file = yaml.safe_load(written(production))
    (endpoint,) = file["coordination"]["etcd"]["endpoints"]
    assert urlsplit(endpoint).port == 2379
    assert urlsplit(file["services"]["database"]).port == 5432
    assert not file["objects"].get("endpoint", ""), "without one it is AWS, on port 443"
    (cluster,) = file["clusters"]
    ports = {int(each.rpartition(":")[2]) for each in (*cluster["worker_endpoints"], *cluster["replica_endpoints"])}
    assert ports == {WORKERS}


@pytest.mark.parametrize("name", ["dev", "production", "test"])
def test_everybody_may_ask_for_names_and_only_there(name: str) -> None:
    manifests = render(name)
    network = Network(manifests)
    for source in (*pods_of(manifests).values(), WORKER):
        if source.labels.get("app.kubernetes.io/part-of") == "flyteplane-stores":
            continue
        for protocol in ("TCP", "UDP"):
            assert network.lets_through(source, DNS, 53, protocol), source.name
            assert not network.lets_through(source, NEIGHBOUR, 53, protocol), source.name


def test_the_tested_stores_are_reached_by_the_platform_only() -> None:
    manifests = render("test")
    network, pods = Network(manifests), pods_of(manifests)
    ports = {"postgres": 5432, "etcd": 2379, "moto": 5000}
    wanted = {(name, store) for name in CALLS for store in ports} | {("migrate", "postgres")}
    found = {
        (source.name, store)
        for source, (store, port) in product((*pods.values(), NEIGHBOUR), ports.items())
        if network.lets_through(source, pods[store], port)
    }
    # From outside of the cluster clients put and get objects by signed URLs.
    assert {pair for pair in found if pair != (NEIGHBOUR.name, "moto")} == wanted
    assert network.lets_through(SOMEBODY, pods["moto"], 5000)
    assert not network.lets_through(WORKER, pods["postgres"], 5432)


def test_the_embedded_platform_reaches_kubernetes_and_is_reached_by_its_workers() -> None:
    manifests = render("dev")
    network, platform = Network(manifests), pods_of(manifests)["flyteplane"]
    assert network.lets_through(platform, API_SERVER, 443)
    assert network.lets_through(WORKER, platform, WORKERS)
    for source, port in product((NEIGHBOUR, SOMEBODY, WORKER), (CLIENTS, CONSOLE, METRICS, INTERNAL)):
        assert not network.lets_through(source, platform, port), (source.name, port)
