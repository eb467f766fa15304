"""The imports that programs make."""

# ruff: noqa: F401
from flyte import (
    AMD_GPU,
    GPU,
    HABANA_GAUDI,
    TPU,
    Backoff,
    BaseCheckpoint,
    Cache,
    CachePolicy,
    CacheRequest,
    Checkpoint,
    ConditionWebhook,
    Cron,
    Device,
    DeviceClass,
    Environment,
    FixedRate,
    Image,
    ImageBuild,
    Link,
    Neuron,
    PodTemplate,
    Resources,
    RetryStrategy,
    ReusePolicy,
    Secret,
    SecretRequest,
    TaskEnvironment,
    Timeout,
    TimeoutType,
    Trigger,
    TriggerTime,
    ctx,
    custom_context,
    get_custom_context,
    group,
    latest_checkpoint,
    logger,
    map,
    new_condition,
    run,
    trace,
    version,
)
from flyte.config import Config, auto, set_if_exists
from flyte.durable import now, sleep, time
from flyte.extend import AsyncFunctionTaskTemplate, TaskPluginRegistry, TaskTemplate, is_initialized, lazy_module
from flyte.extras import DynamicBatcher, TokenBatcher
from flyte.io import PARQUET, DataFrame, Dir, EmptyDir, File, HashFunction
from flyte.models import (
    ActionID,
    ActionPhase,
    CodeBundle,
    NativeInterface,
    RawDataPath,
    SerializationContext,
    TaskContext,
)
from flyte.notify import Email, NamedDelivery, NamedRule, Notification, Slack, Teams, Webhook
from flyte.remote import Action, ActionDetails, Run, RunDetails, Task, TaskDetails
from flyte.remote import Trigger as RemoteTrigger
from flyte.report import Report, Timeline
from flyte.storage import ABFS, GCS, S3, Storage
from flyte.syncify import Syncify, syncify
from flyte.types import FlytePickle, TypeEngine, TypeTransformer, TypeTransformerFailedError

if __name__ == "__main__":
    assert not is_initialized()
    assert lazy_module("json").dumps([1]) == "[1]"
