"""Templates as users, careless users and attackers write them: mostly well formed, with forbidden parts mixed in."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(("primary", "side", "logs", "fetch", "data", "flyte-secrets"))
FLAGS = st.booleans()
QUANTITIES = st.sampled_from(("1", 2, "1Gi", "2"))
TEXTS = st.sampled_from(("", "a", "x y", "é", "/v", "$(FLYTE_WORKER_TOKEN)"))


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any part of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


PROFILES = st.fixed_dictionaries({"type": st.sampled_from(("RuntimeDefault", "Localhost", "Unconfined"))})

SECURITY: dict[str, st.SearchStrategy[Any]] = {
    "runAsUser": st.sampled_from((0, 1000)),
    "runAsNonRoot": FLAGS,
    "seccompProfile": PROFILES,
    "seLinuxOptions": _some(type=st.sampled_from(("container_t", "spc_t")), user=TEXTS),
}

CONTAINER_SECURITY = _some(
    **SECURITY,
    privileged=FLAGS,
    allowPrivilegeEscalation=FLAGS,
    procMount=st.sampled_from(("Default", "Unmasked")),
    readOnlyRootFilesystem=FLAGS,
    capabilities=_some(
        add=st.lists(st.sampled_from(("SYS_ADMIN", "cap_net_raw", "NET_BIND_SERVICE")), max_size=2),
        drop=st.lists(st.sampled_from(("ALL", "KILL")), max_size=2),
    ),
)

ENV = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(("A", "PATH", "FLYTE_WORKER_TOKEN", "FLYTE_RUN_NAME", "1 2"))},
        optional={"value": TEXTS, "valueFrom": _some(secretKeyRef=st.just({"name": "s", "key": "k"}))},
    ),
    max_size=3,
)

MOUNTS = st.lists(
    st.fixed_dictionaries(
        {
            "name": NAMES,
            "mountPath": st.sampled_from(("/data", "/tmp", "/dev/shm", "/etc/flyte", "/etc/flyte/secrets")),
        },
        optional={"mountPropagation": st.sampled_from(("None", "Bidirectional"))},
    ),
    max_size=2,
)

CONTAINERS = st.fixed_dictionaries(
    {"name": NAMES, "image": st.just("img:1")},
    optional={
        "args": st.lists(TEXTS, max_size=2),
        "command": st.lists(TEXTS, max_size=2),
        "env": ENV,
        "lifecycle": _some(preStop=st.just({"httpGet": {"host": "10.0.0.1", "port": 1}})),
        "ports": st.just([{"containerPort": 80}]) | st.just([{"containerPort": 80, "hostPort": 80}]),
        "resources": _some(
            requests=_some(cpu=QUANTITIES, memory=QUANTITIES), limits=_some(cpu=QUANTITIES, memory=QUANTITIES)
        ),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": MOUNTS,
    },
)

SOURCES = st.sampled_from(
    (
        {"emptyDir": {}},
        {"configMap": {"name": "c"}},
        {"hostPath": {"path": "/"}},
        {"nfs": {"server": "s", "path": "/"}},
        {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
        {"secret": {"secretName": "s"}},
    )
)
VOLUMES = st.builds(lambda name, source: {"name": name, **source}, NAMES, SOURCES)

SPECS = _some(
    automountServiceAccountToken=FLAGS,
    containers=st.lists(CONTAINERS, max_size=3),
    initContainers=st.lists(CONTAINERS, max_size=2),
    volumes=st.lists(VOLUMES, max_size=2),
    hostNetwork=FLAGS,
    hostPID=FLAGS,
    hostIPC=FLAGS,
    shareProcessNamespace=FLAGS,
    nodeName=st.just("node-1"),
    nodeSelector=_some(disk=st.just("ssd"), pool=st.sampled_from(("batch", "other"))),
    priorityClassName=st.sampled_from(("", "system-cluster-critical")),
    restartPolicy=st.sampled_from(("Always", "Never")),
    securityContext=_some(**SECURITY),
    serviceAccountName=st.sampled_from(("", "default", "admin")),
    tolerations=st.lists(_some(key=TEXTS, operator=st.just("Exists")), max_size=2),
    affinity=st.just({"nodeAffinity": {}}),
    terminationGracePeriodSeconds=st.sampled_from((0, 5)),
)

PLAIN_CONTAINERS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"name": st.sampled_from(("primary", "a", "b", "c")), "image": st.just("img:1")},
    optional={
        "args": st.lists(st.text(max_size=5).filter(lambda text: "\0" not in text), max_size=2),
        "env": st.lists(st.builds(lambda name: {"name": name, "value": "x"}, st.sampled_from("ABC")), max_size=3),
        "resources": st.just({"requests": {"cpu": "1"}, "limits": {"cpu": 2, "example.com/x": 1}}),
        "securityContext": _some(runAsUser=st.just(7), readOnlyRootFilesystem=FLAGS),
        "tty": FLAGS,
    },
)

HARMLESS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "containers": st.lists(
            PLAIN_CONTAINERS,
            max_size=4,
            unique_by=lambda container: container["name"],
        ).filter(lambda them: not them or any(container["name"] == "primary" for container in them)),
    },
    optional={
        "volumes": st.lists(
            st.builds(lambda name: {"name": name, "emptyDir": {}}, st.sampled_from(("v", "w", "x"))),
            max_size=3,
            unique_by=lambda volume: volume["name"],
        ),
        "hostname": st.just("worker"),
        "affinity": st.just({"podAntiAffinity": {"x": [1, {"y": None}]}}),
        "nodeSelector": st.just({"zone": "a"}),
        "initContainers": st.just([{"name": "init", "image": "i:1"}]),
        "imagePullSecrets": st.just([{"name": "mine"}]),
    },
)
"""Templates that nobody has to refuse."""

JSON_VALUES = st.recursive(
    st.none() | FLAGS | st.integers() | TEXTS | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("spec", "metadata", "containers", "name", "image", "volumes", "securityContext", "env", "x")
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)
"""Any document at all."""
