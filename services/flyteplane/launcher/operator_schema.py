"""The shape of an operator's file: which keys there are and which type each has. No key beside these is let through.

Quantities are read here, so that `cpu: 500m` and `memory: 8Gi` are numbers everywhere else. What a value may be beyond
its type is for the values themselves to say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, field_validator, model_validator

from flyte.spec.environment_variables import reserved_for_platform
from flyte.spec.names import NameKind, check_name
from flyte.spec.notifications import DEFAULT_SUBJECT
from flyte.spec.quantities import parse_bytes, parse_cpu_millis

Cpu = Annotated[int, PlainValidator(lambda value: parse_cpu_millis(value, field="cpu"))]
Memory = Annotated[int, PlainValidator(lambda value: parse_bytes(value, field="memory"))]


def _as_written(read: Callable[[object], object]) -> PlainValidator:
    """A quantity that is checked here and goes on as it was written."""

    def check(value: object) -> str:
        read(value)
        return str(value)

    return PlainValidator(check)


CpuText = Annotated[str, _as_written(lambda value: parse_cpu_millis(value, field="cpu"))]
MemoryText = Annotated[str, _as_written(lambda value: parse_bytes(value, field="memory"))]


def _variable_name(name: str) -> str:
    check_name(name, kind=NameKind.ENV_VAR, field="name")
    if reserved_for_platform(name):
        raise ValueError(f"{name} is set by the platform itself")
    return name


def _priority(value: object) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("must be min, medium, max or a number from 0 to 1000")
    return value


Priority = Annotated[int | str, PlainValidator(_priority)]


class Section(BaseModel):
    """What all sections have in common."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Etcd(Section):
    """`coordination.etcd`."""

    endpoints: list[str] = Field(min_length=1)
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    username: str = ""
    password_file: str | None = None
    prefix: str = "/flyteplane/"
    timeout_s: float = 5.0


class Coordination(Section):
    """`coordination`."""

    etcd: Etcd


class ProcessCluster(Section):
    """A cluster of the kind `process`."""

    kind: Literal["process"]
    name: str
    cpu: Cpu = 0
    memory: Memory = 0


class Spot(Section):
    """`spot` of a cluster: what interruptible workers get."""

    node_selector: dict[str, str] = {}
    tolerations: list[dict[str, Any]] = []


class Accelerator(Section):
    """How a cluster knows the accelerators of one device class."""

    resource: str
    node_label: str | None = None
    label_values: dict[str, str] = {}
    topology_label: str = ""


class Limits(Section):
    """`limits` of a cluster: times the request, for limits that nobody gave; null: no limit."""

    cpu: float | None = 1.0
    memory: float | None = 1.0


class Requests(Section):
    """`default_requests` of a cluster: what a worker requests for which nobody asked anything."""

    cpu: CpuText = "100m"
    memory: MemoryText = "256Mi"


class KeyReference(Section):
    """A key of a Secret or ConfigMap in the namespace of the pods."""

    name: str
    key: str
    optional: bool = False


class Source(Section):
    """`valueFrom` of a variable."""

    secretKeyRef: KeyReference | None = None
    configMapKeyRef: KeyReference | None = None


class Variable(Section):
    """An entry of `extra_env`, spelled as in a pod."""

    name: Annotated[str, AfterValidator(_variable_name)]
    value: str | None = None
    valueFrom: Source | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        sources = (
            self.value,
            *((self.valueFrom.secretKeyRef, self.valueFrom.configMapKeyRef) if self.valueFrom else ()),
        )
        if sum(source is not None for source in sources) != 1:
            raise ValueError(
                "a variable has a value, a valueFrom.secretKeyRef or a valueFrom.configMapKeyRef: give one"
            )
        return self


class KubernetesCluster(Section):
    """A cluster of the kind `kubernetes`."""

    kind: Literal["kubernetes"]
    name: str
    default_image: str
    worker_endpoints: list[str]
    replica_endpoints: list[str] = []
    kubeconfig: str | None = None
    context: str = ""
    namespace: str = "flyte"
    create_namespaces: bool = False
    contact_s: float = 30.0
    installation: str = "flyteplane"
    image_patience_s: float = Field(default=300.0, ge=0)
    image_pull_policy: Literal["", "Always", "IfNotPresent", "Never"] = ""
    image_pull_secrets: list[str] = []
    requests_per_second: float = 100.0
    burst: int = 200
    require_non_root: bool = False
    limits: Limits = Limits()
    default_requests: Requests = Requests()
    extra_env: list[Variable] = []
    spot: Spot = Spot()
    accelerators: dict[str, Accelerator] = {}


class Quota(Section):
    """`quota` of a resource class."""

    cpu: Cpu = 0
    memory: Memory = 0


class Allow(Section):
    """`allow` of a resource class."""

    host_paths: bool = False
    privileged: bool = False
    service_account_token: bool = False
    service_accounts: list[str] = []


class Class(Section):
    """An entry of `resource_classes`."""

    name: str
    cpu: Cpu = 0
    memory: Memory = 0
    gpu: int = 0
    accelerators: dict[str, int] = {}
    clusters: list[str] = []
    node_selector: dict[str, str] = {}
    tolerations: list[dict[str, Any]] = []
    priority_class: str = ""
    quota: Quota = Quota()
    allow: Allow = Allow()


class Queue(Section):
    """An entry of `queues`."""

    name: str
    priority: Priority = 500
    run_concurrency: int = 0
    action_concurrency: int = 0
    depth: int = 0
    clusters: list[str] = []
    draining: bool = False


class Recycle(Section):
    """`reuse_pool.recycle`: when a warm replica is replaced by a new one."""

    after_tasks: int = 1_000_000
    after_s: float = 24 * 3600.0
    above_memory: Memory = 0


class ReusePool(Section):
    """`reuse_pool`: limits of warm replicas that hold for all pools."""

    overflow_replicas: int = 32
    overflow_idle_s: float = 5.0
    lent_slots: int = 1000
    kills_to_quarantine: int = 3
    lease_s: float = Field(default=15.0, ge=5)
    lease_margin_s: float = 3.0
    start_timeout_s: float = 300.0
    failed_starts: int = 5
    start_backoff_s: float = 0.25
    start_backoff_cap_s: float = 30.0
    stop_patience_s: float = 15.0
    recycle: Recycle = Recycle()


class Cache(Section):
    """`cache`: how much is kept; 0 is no limit."""

    max_size: Memory = 10 << 30
    max_entries: int = 1_000_000
    max_age_days: float = Field(default=0.0, ge=0, le=3650)


class History(Section):
    """`history`: how long runs are kept after their end; 0 is for ever."""

    keep_days: float = Field(default=0.0, ge=0, le=36500)
    with_data: bool = False

    @field_validator("keep_days")
    @classmethod
    def _a_day_at_least(cls, days: float) -> float:
        if 0 < days < 1:
            raise ValueError("use 0 (for ever) or at least 1 day")
        return days


class AppRole(Section):
    """`secrets.vault.approle`."""

    role_id: str
    secret_id_file: str
    mount: str = "approle"


class Vault(Section):
    """`secrets.vault`."""

    address: str
    key: str
    mount: str = "transit"
    namespace: str = ""
    token_file: str | None = None
    approle: AppRole | None = None
    ca_file: str | None = None
    timeout_s: float = 5.0


class Secrets(Section):
    """`secrets`."""

    provider: Literal["file", "environment", "vault"] | None = None
    folder: str | None = None
    vault: Vault | None = None
    lost_keys: list[str] = []
    keep_audit_days: float = 400.0


class Objects(Section):
    """`objects`: a store beside the platform's folder."""

    url: str
    endpoint: str = ""
    public_endpoint: str = ""
    region: str = ""
    access_key_file: str | None = None
    secret_key_file: str | None = None
    ca_file: str | None = None
    allow_http: bool = False


class Telemetry(Section):
    """`telemetry`: where traces go."""

    otlp_endpoint: str = ""
    sample: float = 1.0


class Edge(Section):
    """`tls.edge`: a certificate and its key, or the word `terminated`."""

    cert_file: str = ""
    key_file: str = ""
    terminated: bool = False

    @model_validator(mode="before")
    @classmethod
    def _of_word(cls, given: object) -> object:
        return {"terminated": True} if given == "terminated" else given

    @model_validator(mode="after")
    def _files_or_word(self) -> Self:
        wanted = (False, False) if self.terminated else (True, True)
        if (bool(self.cert_file), bool(self.key_file)) != wanted:
            raise ValueError("give cert_file and key_file, or write `edge: terminated` if a proxy ends TLS")
        return self


class MutualCertificate(Section):
    """`tls.internal` and `tls.workers`."""

    cert_file: str
    key_file: str
    ca_file: str


class Tls(Section):
    """`tls`."""

    edge: Edge | None = None
    internal: MutualCertificate | None = None
    workers: MutualCertificate | None = None


AnyCluster = Annotated[ProcessCluster | KubernetesCluster, Field(discriminator="kind")]


class Oidc(Section):
    """An entry of `identity.oidc`."""

    issuer: str
    audience: str
    jwks_url: str = ""
    ca_file: str | None = None
    algorithms: list[str] | None = None
    subject_claim: str = Field(default="sub", min_length=1)
    subject_prefix: str = "oidc:"
    groups_claim: str = "groups"
    group_prefix: str = "group:"
    leeway_s: float = 30.0


class RoleGrant(Section):
    """An entry of `identity.grants`."""

    subject: str = Field(min_length=3)
    role: Literal["viewer", "runner", "operator", "admin"]
    project: str = ""
    domain: str = ""


class Identity(Section):
    """`identity`."""

    bootstrap_key_file: str | None = None
    oidc: list[Oidc] = []
    grants: list[RoleGrant] = []
    keep_audit_days: float = Field(default=400.0, gt=0)


def _console_address(value: str) -> str:
    parts = urlsplit(value)
    whole = parts.scheme in ("http", "https") and parts.netloc and parts.path in ("", "/")
    if value and not (whole and not parts.query and not parts.fragment and "@" not in parts.netloc):
        raise ValueError("must be https://HOST or https://HOST:PORT, without a path")
    return value


class Console(Section):
    """`console`: what people see of the platform in a browser."""

    public_url: Annotated[str, AfterValidator(_console_address)] = ""


class Smtp(Section):
    """`notifications.smtp`: the server that takes mails."""

    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    sender: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password_file: str | None = None
    ca_file: str | None = None


class MailDelivery(Section):
    """An entry of `notifications.deliveries` of kind mail."""

    kind: Literal["mail"]
    recipients: list[str] = Field(min_length=1)
    cc: list[str] = []
    bcc: list[str] = []
    subject: str = DEFAULT_SUBJECT
    body: str = (
        "Run: {{.Run.Project}}/{{.Run.Domain}}/{{.Run.Name}}\nPhase: {{.Phase}}\nError: {{.Error}}\n{{.Run.Url}}\n"
    )
    html_body: str = ""


class WebDelivery(Section):
    """An entry of `notifications.deliveries` of kind web. Who has the address can post there: it may be in a file."""

    kind: Literal["web"]
    url: str = ""
    url_file: str | None = None
    method: Literal["POST", "PUT", "PATCH", "GET", "DELETE"] = "POST"
    headers: dict[str, str] = {}
    body: Any = None

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if bool(self.url) == (self.url_file is not None):
            raise ValueError("give either url or url_file")
        return self


class RuleLine(Section):
    """A line of a rule in `notifications.rules`."""

    on_phase: list[Literal["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"]] = Field(min_length=1)
    delivery: str


class Notifications(Section):
    """`notifications`: what is sent when runs end."""

    smtp: Smtp | None = None
    web_hosts: list[str] = ["*"]
    deliveries: dict[str, Annotated[MailDelivery | WebDelivery, Field(discriminator="kind")]] = {}
    rules: dict[str, list[RuleLine]] = {}


class File(Section):
    """The whole file."""

    coordination: Coordination | None = None
    clusters: list[AnyCluster] | None = Field(default=None, min_length=1)
    resource_classes: list[Class] = []
    queues: list[Queue] = []
    reuse_pool: ReusePool = ReusePool()
    cache: Cache = Cache()
    history: History = History()
    services: Any = None
    secrets: Secrets | None = None
    objects: Objects | None = None
    telemetry: Telemetry = Telemetry()
    tls: Tls | None = None
    identity: Identity | None = None
    console: Console = Console()
    notifications: Notifications = Notifications()


CLUSTER_KINDS: dict[str, type[Section]] = {"process": ProcessCluster, "kubernetes": KubernetesCluster}
