"""The operator's file: what it means, and how clearly it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from flyte.spec.notifications import Mail, WebRequest
from flyteplane.cache.domain.limits import CacheLimits
from flyteplane.cluster.kubernetes.settings import KubernetesSettings
from flyteplane.cluster.pods.surroundings import LimitsPolicy
from flyteplane.coordination import EtcdSettings
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.identity.callers import Grant, Role, Scope
from flyteplane.identity.settings import SubjectGrant
from flyteplane.launcher.clusters import ProcessClusterSettings
from flyteplane.launcher.operator_file import OperatorFile
from flyteplane.launcher.service_addresses import ServiceAddresses
from flyteplane.launcher.tls_settings import Identity, TlsSettings
from flyteplane.observe.telemetry import TelemetrySettings
from flyteplane.reuse_pool.domain.policy import PoolSettings
from flyteplane.scheduler.domain.history import HistoryLimits
from flyteplane.scheduler.domain.queueing.classes import ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.secrets.settings import AppRole, Provider, SecretsSettings, VaultSettings

WHOLE = """
coordination:
  etcd: {endpoints: [https://127.0.0.1:2379, https://127.0.0.2:2379], ca_file: ca.pem, cert_file: me.pem,
         key_file: me.key, username: flyte, password_file: password, prefix: /mine/}
clusters:
  - {name: local, kind: process, cpu: "4", memory: 8Gi}
  - name: prod
    kind: kubernetes
    kubeconfig: kubeconfig
    context: admin
    namespace: "{project}-{domain}"
    create_namespaces: true
    default_image: registry/worker:1
    worker_endpoints: ["10.0.0.1:7000"]
    replica_endpoints: ["10.0.0.2:7000"]
    contact_s: 30
    requests_per_second: 50
    burst: 100
    image_pull_secrets: [pull]
    limits: {cpu: null, memory: 2}
    default_requests: {cpu: 50m}
    extra_env: [{name: STORE_KEY, valueFrom: {secretKeyRef: {name: store, key: secret}}}, {name: REGION, value: north}]
    spot: {node_selector: {spot: "true"}, tolerations: [{key: spot, operator: Exists}]}
    accelerators: {GPU: {resource: nvidia.com/gpu, node_label: gpu-kind, label_values: {A100: a100}}}
resource_classes:
  - name: small
    cpu: 500m
    memory: 4Gi
    gpu: 1
    accelerators: {GPU/A100: 8}
    clusters: [prod]
    node_selector: {pool: small}
    tolerations: [{key: gpu, operator: Exists, effect: NoSchedule}]
    priority_class: high
    quota: {cpu: 100, memory: 400Gi}
    allow: {host_paths: true, privileged: true, service_account_token: true, service_accounts: [robot]}
queues:
  - {name: gpu, priority: max, run_concurrency: 1, action_concurrency: 10, depth: 1000, clusters: [prod]}
  - {name: old, priority: 7, draining: true}
reuse_pool:
  overflow_replicas: 4
  overflow_idle_s: 2
  lent_slots: 50
  kills_to_quarantine: 2
  lease_s: 20
  lease_margin_s: 1.5
  start_timeout_s: 60
  failed_starts: 3
  start_backoff_s: 1
  start_backoff_cap_s: 10
  stop_patience_s: 7
  recycle: {after_tasks: 1000, after_s: 3600, above_memory: 2Gi}
services: {addresses: {cache: "10.0.0.5:7001"}, lease_seconds: 5}
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes flyteplane.yaml beside the files that one may name."""
    for name in ("ca.pem", "me.pem", "me.key", "password", "smtp-password", "kubeconfig"):
        (tmp_path / name).touch()
    (tmp_path / "ops-webhook").write_text("https://hooks.example.org/secret")

    def write_one(text: str) -> Path:
        path = tmp_path / "flyteplane.yaml"
        path.write_text(text)
        return path

    return write_one


def refusal(path: Path) -> InvalidArgument:
    """What the file is refused with."""
    with pytest.raises(InvalidArgument) as refused:
        OperatorFile.read(path)
    assert refused.value.reason == "OPERATOR_FILE"
    assert str(path) in refused.value.message
    return refused.value


# --- what a right file means ----------------------------------------------------------------------------------------


def test_every_key_of_a_whole_file_is_read(write: Write, tmp_path: Path) -> None:
    file = OperatorFile.read(write(WHOLE))
    assert file.coordination == EtcdSettings(
        endpoints=("https://127.0.0.1:2379", "https://127.0.0.2:2379"),
        ca_file=tmp_path / "ca.pem",
        cert_file=tmp_path / "me.pem",
        key_file=tmp_path / "me.key",
        username="flyte",
        password_file=tmp_path / "password",
        prefix="/mine/",
    )
    local, prod = file.clusters
    assert local == ProcessClusterSettings(name="local", cpu_millis=4000, memory_bytes=8 * 2**30)
    assert isinstance(prod, KubernetesSettings)
    assert (prod.worker_endpoints, prod.replica_endpoints) == (("10.0.0.1:7000",), ("10.0.0.2:7000",))
    assert (prod.kubeconfig, prod.context) == (str(tmp_path / "kubeconfig"), "admin")
    assert (prod.namespace, prod.create_namespaces) == ("{project}-{domain}", True)
    assert (prod.contact_s, prod.requests_per_second, prod.burst) == (30, 50, 100)
    assert prod.spot_tolerations == ({"key": "spot", "operator": "Exists"},)
    assert prod.devices["GPU"].label_values == {"A100": "a100"}
    assert prod.devices["TPU"].resource == "google.com/tpu"
    assert prod.limits == LimitsPolicy(cpu=None, memory=2)
    assert prod.default_requests == {"cpu": "50m", "memory": "256Mi"}
    assert prod.extra_env == (
        {"name": "STORE_KEY", "valueFrom": {"secretKeyRef": {"name": "store", "key": "secret"}}},
        {"name": "REGION", "value": "north"},
    )
    assert file.services == ServiceAddresses(addresses={"cache": "10.0.0.5:7001"}, lease_s=5)
    assert file.reuse_pool == PoolSettings(
        overflow_limit=4,
        overflow_idle_s=2,
        lent_limit=50,
        kills_to_quarantine=2,
        lease_time_s=20,
        lease_margin_s=1.5,
        start_timeout_s=60,
        failed_starts=3,
        start_backoff_s=1,
        start_backoff_cap_s=10,
        revoked_grace_s=7,
        recycle_after_tasks=1000,
        recycle_after_s=3600,
        recycle_above_bytes=2 * 2**30,
    )


def test_the_limits_of_the_cache_are_read(write: Write) -> None:
    limits = OperatorFile.read(write("cache: {max_size: 2Gi, max_entries: 0, max_age_days: 1.5}")).cache
    assert limits == CacheLimits(max_bytes=2 << 30, max_entries=0, max_age_s=1.5 * 86400)
    assert OperatorFile.read(write("cache: {}")).cache == CacheLimits() == OperatorFile().cache


def test_how_long_runs_are_kept_is_read(write: Write) -> None:
    kept = OperatorFile.read(write("history: {keep_days: 1.5, with_data: true}")).history
    assert kept == HistoryLimits(keep_s=1.5 * 86400, with_data=True)
    assert OperatorFile.read(write("history: {}")).history == HistoryLimits() == OperatorFile().history


def test_pools_without_a_section_have_the_limits_of_the_documentation(write: Write) -> None:
    assert OperatorFile.read(write("reuse_pool: {}")).reuse_pool == PoolSettings() == OperatorFile().reuse_pool


def test_classes_and_queues_become_values_of_the_scheduler(write: Write) -> None:
    file = OperatorFile.read(write(WHOLE))
    small = ResourceClass(
        name="small",
        max_cpu_millis=500,
        max_memory_bytes=4 * 2**30,
        max_accelerators={"GPU/A100": 8, "GPU": 1},
        clusters=("prod",),
        quota_cpu_millis=100_000,
        quota_memory_bytes=400 * 2**30,
        node_selector={"pool": "small"},
        tolerations_json=json.dumps([{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]),
        priority_class="high",
        allow_host_paths=True,
        allow_privileged=True,
        allow_service_account_token=True,
        service_accounts=("robot",),
    )
    gpu = QueueSettings(
        name="gpu", run_concurrency=1, action_concurrency=10, depth=1000, priority=1000, clusters=("prod",)
    )
    assert file.entries.classes == (small,)
    assert file.entries.queues == (gpu, QueueSettings(name="old", priority=7, draining=True))
    assert file.entries.path == str(file.path)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}"])
def test_an_empty_file_is_a_platform_of_this_machine(write: Write, text: str) -> None:
    file = OperatorFile.read(write(text))
    assert file.clusters == (ProcessClusterSettings(name="local"),)
    assert file.coordination is None
    assert file.entries.queues == ()


def test_without_clusters_queues_may_name_the_own_one(write: Write) -> None:
    file = OperatorFile.read(write("queues: [{name: q, clusters: [local]}]"))
    assert file.queues[0].clusters == ("local",)


def test_the_example_in_the_documentation_is_right(write: Write, repository: Path) -> None:
    text = (repository / "docs" / "operator-file.md").read_text()
    file = OperatorFile.read(write(text.split("```yaml\n")[1].split("```")[0]))
    assert [cluster.name for cluster in file.clusters] == ["local", "prod"]
    assert [shape.name for shape in file.resource_classes] == ["small", "a100"]
    assert [queue.name for queue in file.queues] == ["gpu"]


# --- what a wrong file is told --------------------------------------------------------------------------------------

#: The beginning of a cluster; what closes its brace is still to come.
KUBERNETES = "{name: a, kind: kubernetes, default_image: i, worker_endpoints: ['a:1']"

WRONG = {
    "unknown key": ("queues:\n  - {name: q, dept: 3}", ["line 2", "queues[0].dept", "did you mean 'depth'"]),
    "unknown section": ("que: []", ["que", "Keys here", "queues"]),
    "key of another kind": (
        "clusters: [{name: a, kind: process, kubeconfig: x}]",
        ["clusters[0].kubeconfig", "not known", "cpu"],
    ),
    "unknown kind": ("clusters: [{name: a, kind: mesos}]", ["clusters[0]", "mesos", "process", "kubernetes"]),
    "no kind": ("clusters: [{name: a}]", ["clusters[0]", "kind", "process or kubernetes"]),
    "missing key": (
        "clusters: [{name: a, kind: kubernetes}]",
        ["clusters[0].default_image", "[0].worker_endpoints", "missing"],
    ),
    "no worker endpoint": (
        "clusters: [{name: a, kind: kubernetes, default_image: i, worker_endpoints: []}]",
        ["clusters[0].worker_endpoints", "at least one"],
    ),
    "service": ("services: {addresses: {mail: 'a:1'}}", ["line 1: services.addresses.mail", "no such service"]),
    "services": ("services: [1]", ["line 1: services: ", "mapping"]),
    "wrong type": ("queues: [{name: q, depth: '10'}]", ["queues[0].depth", "integer", "'10'"]),
    "truth is no number": ("queues: [{name: q, depth: true}]", ["queues[0].depth", "True"]),
    "below zero": ("queues: [{name: q, depth: -1}]", ["queues[0].depth", "-1", "0 to"]),
    "priority": ("queues: [{name: q, priority: high}]", ["queues[0].priority", "'high'", "min"]),
    "priority too great": ("queues: [{name: q, priority: 1001}]", ["queues[0].priority", "1001", "0 to 1000"]),
    "name": ("queues: [{name: GPU}]", ["queues[0].name", "'GPU'", "lower-case letters"]),
    "two of a name": ("queues: [{name: q}, {name: q}]", ["queues[1].name", "'q'", "entry 0"]),
    "two classes of a name": ("resource_classes: [{name: c}, {name: c}]", ["resource_classes[1].name"]),
    "quantity": ("resource_classes: [{name: c, cpu: four}]", ["resource_classes[0].cpu", "'four'", "quantity"]),
    "negative quantity": ("resource_classes: [{name: c, memory: -1Gi}]", ["resource_classes[0].memory", "'-1Gi'"]),
    "quota": ("resource_classes: [{name: c, cpu: 2, quota: {cpu: 1}}]", ["resource_classes[0].quota.cpu"]),
    "settings of pods without pods": (
        "resource_classes: [{name: c, node_selector: {pool: gpu}}]",
        ["resource_classes[0].node_selector", "no effect", "kubernetes"],
    ),
    "tolerations without pods": (
        "clusters: [{name: a, kind: process}, {name: b, kind: process}]\n"
        "resource_classes: [{name: c, clusters: [b], tolerations: [{key: x, operator: Exists}]}]",
        ["resource_classes[0].tolerations: ", "no effect"],
    ),
    "installation": (
        f"clusters: [{KUBERNETES}}}, {KUBERNETES.replace('name: a', 'name: b')}, namespace: other}}]",
        ["clusters[1].installation", "'a'", "'flyteplane'"],
    ),
    "limits": (f"clusters: [{KUBERNETES}, limits: {{cpu: 0.5}}}}]", ["clusters[0].limits.cpu", "at least 1"]),
    "default requests": (
        f"clusters: [{KUBERNETES}, default_requests: {{cpu: lots}}}}]",
        ["clusters[0].default_requests.cpu", "'lots'"],
    ),
    "variable of the platform": (
        f"clusters: [{KUBERNETES}, extra_env: [{{name: FLYTE_WORKER_TOKEN, value: x}}]}}]",
        ["clusters[0].extra_env[0].name", "FLYTE_WORKER_TOKEN"],
    ),
    "variable without a value": (
        f"clusters: [{KUBERNETES}, extra_env: [{{name: A}}]}}]",
        ["clusters[0].extra_env[0]", "secretKeyRef", "give one"],
    ),
    "toleration": (
        "resource_classes: [{name: c, tolerations: [{kee: x}]}]",
        ["resource_classes[0].tolerations", "kee"],
    ),
    "selector": ("resource_classes: [{name: c, node_selector: {a b: c}}]", ["resource_classes[0].node_selector"]),
    "accelerator": ("resource_classes: [{name: c, accelerators: {gpu: 1}}]", ["resource_classes[0].accelerators"]),
    "gpu twice": ("resource_classes: [{name: c, gpu: 1, accelerators: {GPU: 1}}]", ["resource_classes[0].gpu"]),
    "unknown cluster": ("queues: [{name: q, clusters: [prod]}]", ["queues[0].clusters", "'prod'", "local"]),
    "cluster name": ("clusters: [{name: Prod_1, kind: process}]", ["clusters[0].name", "'Prod_1'"]),
    "kubeconfig": (
        "clusters: [{name: a, kind: kubernetes, default_image: i, worker_endpoints: ['a:1'], kubeconfig: away}]",
        ["clusters[0].kubeconfig", "No such file"],
    ),
    "namespace": (
        "clusters: [{name: a, kind: kubernetes, default_image: i, worker_endpoints: ['a:1'], namespace: '{run}'}]",
        ["clusters[0].namespace", "{run}"],
    ),
    "worker endpoint": (
        "clusters: [{name: a, kind: kubernetes, default_image: i, worker_endpoints: [nowhere]}]",
        ["clusters[0].worker_endpoints", "'nowhere'", "HOST:PORT"],
    ),
    "replica endpoint": (
        "clusters: [{name: a, kind: kubernetes, default_image: i, worker_endpoints: ['a:1'], replica_endpoints: [x]}]",
        ["clusters[0].replica_endpoints", "'x'", "HOST:PORT"],
    ),
    "accelerator class": (
        "clusters: [{name: a, kind: kubernetes, default_image: i, worker_endpoints: ['a:1'],"
        " accelerators: {XPU: {resource: x/y}}}]",
        ["clusters[0].accelerators", "XPU", "GPU"],
    ),
    "etcd endpoint": ("coordination: {etcd: {endpoints: ['127.0.0.1']}}", ["coordination.etcd.endpoints", "http://"]),
    "etcd file": (
        "coordination: {etcd: {endpoints: ['https://a:1'], ca_file: away.pem}}",
        ["coordination.etcd.ca_file", "away.pem"],
    ),
    "etcd prefix": ("coordination: {etcd: {endpoints: ['a:1'], prefix: /me}}", ["coordination.etcd.prefix", "'/me/'"]),
    "etcd certificate": (
        "coordination: {etcd: {endpoints: ['https://a:1'], cert_file: me.pem}}",
        ["coordination.etcd.cert_file", "together"],
    ),
    "etcd password": (
        "coordination: {etcd: {endpoints: ['http://a:1'], username: me}}",
        ["coordination.etcd.username", "password"],
    ),
    "overflow replicas": ("reuse_pool: {overflow_replicas: -1}", ["reuse_pool.overflow_replicas", "-1", "0 to 1000"]),
    "lease of replicas": ("reuse_pool: {lease_s: 1}", ["reuse_pool.lease_s", "5"]),
    "quarantine": ("reuse_pool: {kills_to_quarantine: 0}", ["reuse_pool.kills_to_quarantine", "1 to 1000"]),
    "size of the cache": ("cache: {max_size: much}", ["cache.max_size", "'much'"]),
    "less than a day of history": ("history: {keep_days: 0.5}", ["history.keep_days", "at least 1 day"]),
    "age in the cache": ("cache: {max_age_days: -1}", ["cache.max_age_days", "-1"]),
    "entries of the cache": ("cache: {max_entries: -1}", ["cache.max_entries", "0 (none) to"]),
    "unknown limit of the cache": ("cache: {max_bytes: 5}", ["cache", "max_bytes", "max_size"]),
    "recycling": ("reuse_pool: {recycle: {after_tasks: 0}}", ["reuse_pool.recycle.after_tasks", "1 to"]),
    "recycling memory": ("reuse_pool: {recycle: {above_memory: much}}", ["reuse_pool.recycle.above_memory", "'much'"]),
    "pauses": (
        "reuse_pool: {start_backoff_s: 5, start_backoff_cap_s: 1}",
        ["reuse_pool.start_backoff_cap_s", "at least 5"],
    ),
    "unknown limit of pools": ("reuse_pool: {overflow: 1}", ["reuse_pool.overflow", "not known", "overflow_replicas"]),
    "files and a proxy": (
        "tls: {edge: {cert_file: a, terminated: true}}",
        ["tls.edge", "edge: terminated", "key_file"],
    ),
    "a key is missing": ("tls: {internal: {cert_file: a, ca_file: b}}", ["tls.internal.key_file", "missing"]),
    "unknown listener": ("tls: {inside: {cert_file: a}}", ["tls.inside", "edge", "internal", "workers"]),
    "key twice": ("queues: []\nqueues: []", ["line 2", "'queues'", "twice"]),
    "not YAML": ("queues: [", ["line", "not YAML"]),
    "a list": ("- 1", ["dictionary"]),
    "an object": ("queues: !!python/object:os.system {}", ["not YAML"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_with_its_place_and_what_is_allowed(write: Write, case: str) -> None:
    text, words = WRONG[case]
    said = refusal(write(text)).message
    assert [word for word in words if word not in said] == [], said


def test_all_mistakes_are_told_at_once_in_order_of_lines(write: Write) -> None:
    text = (
        "queues:\n  - {name: Q}\n  - {name: q, depth: -1}\nresource_classes:\n  - {name: c, cpu: 2, quota: {cpu: 1}}\n"
    )
    said = refusal(write(text)).message
    assert said.index("line 2") < said.index("line 3") < said.index("line 5")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.yaml").message


def test_what_is_not_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "flyteplane.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refusal(path).message


def test_an_alias_that_leads_back_to_itself_ends(write: Write) -> None:
    assert refusal(write("queues: &a\n  - *a\n"))


# --- keys of secrets ------------------------------------------------------------------------------------------------


def test_where_keys_of_secrets_come_from_is_read(write: Write, tmp_path: Path) -> None:
    assert OperatorFile.read(write("queues: []")).secrets == SecretsSettings()
    file = OperatorFile.read(
        write("secrets: {provider: file, folder: keys, lost_keys: [0123abcd], keep_audit_days: 30}")
    )
    assert file.secrets == SecretsSettings(
        provider=Provider.FILE, folder=tmp_path / "keys", lost_keys=frozenset({"0123abcd"}), keep_audit_days=30
    )
    text = """
secrets:
  provider: vault
  vault: {address: "https://vault:8200", mount: transit, key: flyteplane, namespace: team, ca_file: ca.pem,
          approle: {role_id: r, secret_id_file: password, mount: ours}, timeout_s: 2}
"""
    assert OperatorFile.read(write(text)).secrets.vault == VaultSettings(
        address="https://vault:8200",
        key="flyteplane",
        namespace="team",
        approle=AppRole(role_id="r", secret_id_file=tmp_path / "password", mount="ours"),
        ca_file=tmp_path / "ca.pem",
        timeout_s=2,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{provider: kms}", ["secrets.provider", "vault"]),
        ("{key: abc}", ["secrets.key"]),
        ("{provider: vault}", ["secrets.vault", "provider: vault"]),
        ("{provider: file, vault: {address: 'https://v:1', key: k, token_file: t}}", ["secrets.vault"]),
        ("{provider: vault, vault: {address: 'v:1', key: k, token_file: t}}", ["secrets.vault.address", "https://"]),
        ("{provider: vault, vault: {address: 'https://v:1', key: a/b, token_file: t}}", ["secrets.vault.key"]),
        ("{provider: vault, vault: {address: 'https://v:1', key: k}}", ["token_file", "approle"]),
        ("{provider: vault, vault: {address: 'https://v:1', key: k, token: abc}}", ["secrets.vault.token"]),
        ("{keep_audit_days: 0}", ["keep_audit_days", "1 to 36500"]),
        ("{lost_keys: ['']}", ["lost_keys"]),
    ],
)
def test_a_wrong_section_of_secrets_is_told(write: Write, text: str, words: list[str]) -> None:
    message = refusal(write(f"queues: []\nsecrets: {text}\n")).message
    assert [word for word in words if word not in message] == []
    assert "line 2" in message


def test_where_traces_go_is_read(write: Write) -> None:
    assert OperatorFile.read(write("queues: []")).telemetry == TelemetrySettings()
    file = OperatorFile.read(write("telemetry: {otlp_endpoint: 'http://collector:4317', sample: 0.1}"))
    assert file.telemetry == TelemetrySettings(otlp_endpoint="http://collector:4317", sample=0.1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{otlp_endpoint: 'collector:4317'}", ["telemetry.otlp_endpoint", "http://HOST:PORT"]),
        ("{sample: 2}", ["telemetry.sample", "0 to 1"]),
        ("{sample: often}", ["telemetry.sample", "number"]),
        ("{endpoint: 'http://collector:4317'}", ["telemetry.endpoint", "otlp_endpoint"]),
    ],
)
def test_a_wrong_section_of_telemetry_is_told(write: Write, text: str, words: list[str]) -> None:
    message = refusal(write(f"queues: []\ntelemetry: {text}\n")).message
    assert [word for word in words if word not in message] == []
    assert "line 2" in message


def test_certificates_are_read_beside_the_file_and_a_proxy_is_a_word(write: Write, tmp_path: Path) -> None:
    files = "{cert_file: me.pem, key_file: me.key, ca_file: ca.pem}"
    tls = OperatorFile.read(write(f"tls: {{edge: terminated, internal: {files}, workers: {files}}}")).tls
    one = Identity(cert_file=tmp_path / "me.pem", key_file=tmp_path / "me.key", ca_file=tmp_path / "ca.pem")
    assert tls == TlsSettings(edge_terminated=True, internal=one, workers=one)
    assert tls.protects_edge
    tls = OperatorFile.read(write("tls: {edge: {cert_file: me.pem, key_file: me.key}}")).tls
    assert tls == TlsSettings(edge=Identity(cert_file=one.cert_file, key_file=one.key_file))
    assert tls.protects_edge
    assert not OperatorFile.read(write("tls: {}")).tls.protects_edge


# --- identity -------------------------------------------------------------------------------------------------------


def test_who_is_believed_and_what_they_may_do_is_read(write: Write, tmp_path: Path) -> None:
    assert not OperatorFile.read(write("queues: []")).identity.configured
    text = """
identity:
  bootstrap_key_file: key
  oidc: [{issuer: "https://login.example.org", audience: flyte, subject_claim: email, leeway_s: 5}]
  grants: [{subject: "group:data", role: runner, project: shop, domain: development}]
"""
    found = OperatorFile.read(write(text)).identity
    assert found.configured
    assert found.bootstrap_key_file == tmp_path / "key"
    (provider,) = found.oidc
    assert (provider.issuer, provider.subject_claim, provider.leeway_s) == ("https://login.example.org", "email", 5.0)
    assert found.grants == (SubjectGrant(subject="group:data", grant=Grant(Role.RUNNER, Scope("shop", "development"))),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{keys: []}", ["identity.keys"]),
        ("{oidc: [{issuer: 'https://l'}]}", ["identity.oidc", "audience"]),
        ("{oidc: [{issuer: 'http://login.example.org', audience: a}]}", ["https"]),
        ("{oidc: [{issuer: 'https://l', audience: a, algorithms: [HS256]}]}", ["HS256"]),
        ("{oidc: [{issuer: 'https://l', audience: a}, {issuer: 'https://l', audience: b}]}", ["same issuer"]),
        ("{grants: [{subject: 'oidc:alice', role: runner}]}", ["oidc:alice", "identity.oidc"]),
        ("{oidc: [{issuer: 'https://l', audience: a}], grants: [{subject: alice, role: admin}]}", ["alice", "oidc:"]),
        ("{grants: [{subject: 'oidc:alice', role: root}]}", ["identity.grants", "viewer"]),
        ("{keep_audit_days: 0}", ["identity.keep_audit_days"]),
    ],
)
def test_a_wrong_section_of_identity_is_told(write: Write, text: str, words: list[str]) -> None:
    message = refusal(write(f"queues: []\nidentity: {text}\n")).message
    for word in ["line 2", *words]:
        assert word in message


def test_the_public_address_of_the_console_is_read(write: Write) -> None:
    assert OperatorFile.read(write("queues: []")).console_url == ""
    file = OperatorFile.read(write("console: {public_url: 'https://flyte.example.org:8443/'}"))
    assert file.console_url == "https://flyte.example.org:8443"


@pytest.mark.parametrize(
    "url",
    ["flyte.example.org", "ftp://x", "https://", "https://x/path", "https://u:p@x", "https://x?q=1", "javascript:x"],
)
def test_a_public_address_that_is_none_is_told(write: Write, url: str) -> None:
    message = refusal(write(f"console: {{public_url: '{url}'}}")).message
    assert "console.public_url" in message
    assert "https://HOST" in message


NOTIFICATIONS = """
notifications:
  smtp: {host: mail.example.org, sender: flyte@example.org, user: flyte, password_file: password}
  web_hosts: ["*.example.org"]
  deliveries:
    ops: {kind: web, url_file: hook, body: {text: "{{.Phase}}"}}
    team: {kind: mail, recipients: [team@example.org]}
  rules: {night: [{on_phase: [FAILED, TIMED_OUT], delivery: ops}]}
"""


def test_notifications_are_set_up_by_name_and_their_secrets_stay_in_files(write: Write, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hidden\n")
    (tmp_path / "hook").write_text("https://example.org/secret\n")
    options = OperatorFile.read(write(NOTIFICATIONS)).notifications
    server, deliveries = options.mail_server, options.usable
    assert server is not None
    assert (server.port, server.security, server.password()) == (587, "starttls", "hidden")
    ops, team = deliveries.named["ops"], deliveries.named["team"]
    assert isinstance(ops, WebRequest)
    assert isinstance(team, Mail)
    assert (ops.url, ops.body, team.recipients) == (
        "https://example.org/secret",
        '{"text": "{{.Phase}}"}',
        ("team@example.org",),
    )
    assert {phase.name for phase in deliveries.rules["night"][0].phases} == {"FAILED", "TIMED_OUT"}
    assert deliveries.sends_mail


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("delivery: ops", "delivery: nobody", "there is no delivery 'nobody'. Use one of ops, team"),
        ("url_file: hook", "url_file: gone", "cannot be read"),
        ("url_file: hook", "url: ftp://example.org", "http or https"),
        ("password_file: password", "security: tls", "a user needs a password"),
        ("password_file: password", "password_file: password, security: none", "in clear"),
        ("recipients: [team@example.org]", "recipients: [team]", "is not a mail address"),
        ("kind: web", "kind: pigeon", "kind"),
        ("on_phase: [FAILED, TIMED_OUT]", "on_phase: [RUNNING]", "SUCCEEDED"),
    ],
)
def test_notifications_that_could_not_be_sent_are_refused(
    write: Write, tmp_path: Path, before: str, after: str, words: str
) -> None:
    (tmp_path / "password").write_text("hidden")
    (tmp_path / "hook").write_text("https://example.org/secret")
    with pytest.raises(InvalidArgument) as refusal:
        OperatorFile.read(write(NOTIFICATIONS.replace(before, after)))
    assert "notifications" in str(refusal.value)
    assert words in str(refusal.value)
