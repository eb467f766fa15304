"""The public names that programs for the peer SDK use, with the parameters that they give, written by hand.

One line for each callable: its name, a colon, and its parameters as in a definition. `=` alone stands for a default
that is left to the implementation (a mark for "not given", a fresh object); a `*` makes the parameters after it
keyword-only; a `/` ends the positional-only ones. Names without a colon only have to be there. A line that
begins with a space goes on with the line before.
"""

from __future__ import annotations

_ENVIRONMENT = (
    "name, depends_on=, pod_template=, description=, secrets=, env_vars=, resources=, interruptible=, image=, include=,"
    " service_account="
)
_CLONE = "self, name, image=, resources=, env_vars=, secrets=, depends_on=, description=, **kwargs"
_TRIGGER = (
    "auto_activate=True, inputs=None, env_vars=None, interruptible=None, overwrite_cache=False, queue=None,"
    " max_action_concurrency=None, labels=None, annotations=None, notifications=None, custom_context=None"
)
_PIP = "index_url=None, extra_index_urls=None, pre=False, extra_args=None, secret_mounts=None"
_GET_TASK = "name, project=None, domain=None, version=None, auto_version=None"

SURFACE: dict[str, str] = {
    "flyte": f"""
AMD_GPU: device
APPLE_SILICON:
GPU: device, quantity, partition=None
HABANA_GAUDI: device
Neuron: device
TPU: device, partition=None
AsyncFunctionTaskTemplate
AsyncFunctionTaskTemplate.forward: self, *args, **kwargs
AsyncFunctionTaskTemplate.execute: self, *args, **kwargs
AsyncFunctionTaskTemplate.json_schema
AsyncFunctionTaskTemplate.source_file
Backoff: base, factor=1.0, cap=None
Backoff.compute_delay: self, n
BaseCheckpoint.load: self
BaseCheckpoint.load_sync: self
BaseCheckpoint.save: self, data
BaseCheckpoint.save_sync: self, data
BaseCheckpoint.path
BaseCheckpoint.prev_exists: self
Cache: behavior, version_override=None, serialize=False, ignored_inputs=, salt='', policies=None, max_age=None
Cache.get_ignored_inputs: self
Cache.get_version: self, params=None
Cache.is_enabled: self
CachePolicy.get_version: self, salt, params
CacheRequest
Checkpoint: checkpoint_dest, checkpoint_src=None
Checkpoint.remote_destination
Checkpoint.remote_source
ConditionWebhook: url, payload=None
Cron: expression, timezone='UTC'
Cron.timezone_expression
Device: quantity, device_class, device=None, partition=None
DeviceClass
Documentation: description
Environment: {_ENVIRONMENT}
Environment.add_dependency: self, *env
Environment.clone_with: {_CLONE}
FixedRate: interval_minutes, start_time=None
Image.clone: self, registry=None, registry_secret=None, name=None, base_image=None, python_version=None,
    addl_layer=None, extendable=None, platform=None
Image.from_base: image_uri
Image.from_debian_base: python_version=None, flyte_version=None, install_flyte=True, registry=None,
    registry_secret=None, name=None, platform=None
Image.from_dockerfile: file, registry, name, platform=None
Image.from_pixi_script: script, *, name, registry=None, registry_secret=None, environment='default',
    extra_args=None, platform=None, secret_mounts=None
Image.from_ref_name: name='default'
Image.from_uv_script: script, *, name, registry=None, registry_secret=None, python_version=None, index_url=None,
    extra_index_urls=None, pre=False, extra_args=None, platform=None
Image.uri
Image.validate: self
Image.with_apt_packages: self, *packages, secret_mounts=None
Image.with_code_bundle: self, copy_style='loaded_modules', dst='.'
Image.with_commands: self, commands, secret_mounts=None
Image.with_dockerignore: self, path
Image.with_env_vars: self, env_vars
Image.with_local_v2: self
Image.with_pip_packages: self, *packages, {_PIP}
Image.with_requirements: self, file, {_PIP}
Image.with_source_file: self, src, dst='.'
Image.with_source_folder: self, src, dst='.', copy_contents_only=False
Image.with_uv_project: self, pyproject_file, uvlock=None, {_PIP}
Image.with_workdir: self, workdir
ImageBuild: uri, remote_run=, build_run=None
Link.get_link: self, run_name, project, domain, context, parent_action_name, action_name, pod_name, **kwargs
PodTemplate: pod_spec=None, primary_container_name='primary', labels=None, annotations=None
PodTemplate.allow_fuse: self, privileged=False
PodTemplate.allow_nested_sandboxing: self
PodTemplate.to_k8s_pod: self
PodTemplate.from_spec: pod_spec, *, primary_container_name=None, labels=None, annotations=None
PodTemplate.with_termination_grace_period: self, termination_grace_period
Resources: cpu=None, memory=None, gpu=None, disk=None, shm=None
Resources.get_device: self
Resources.get_shared_memory: self
RetryStrategy: count, backoff=None
ReusePolicy: replicas=2, idle_ttl=30, concurrency=1, scaledown_ttl=30, scope='global'
ReusePolicy.get_scaledown_ttl: self
ReusePolicy.max_replicas
ReusePolicy.min_replicas
Secret: key, group=None, mount=None, as_env_var=None
Secret.stable_hash: self
SecretRequest
TaskEnvironment: {_ENVIRONMENT}, cache=, reusable=, plugin_config=, queue=
TaskEnvironment.clone_with: {_CLONE}
TaskEnvironment.from_task: name, *tasks, depends_on=None
TaskEnvironment.task: self, _func=None, *, short_name=, cache=, retries=, timeout=, docs=, pod_template=, report=,
    interruptible=, max_inline_io_bytes=, queue=, service_account=, triggers=, links=, task_resolver=, entrypoint=,
    produces_artifacts=
TaskEnvironment.tasks
TaskTemplate.config: self, sctx
TaskTemplate.container_args: self, serialize_context
TaskTemplate.custom_config: self, sctx
TaskTemplate.data_loading_config: self, sctx
TaskTemplate.sql: self, sctx
TaskTemplate.aio: self, *args, **kwargs
TaskTemplate.execute: self, *args, **kwargs
TaskTemplate.forward: self, *args, **kwargs
TaskTemplate.native_interface
TaskTemplate.override: self, *, short_name=, resources=, cache=, retries=, timeout=, reusable=, env_vars=, secrets=,
    service_account=, max_inline_io_bytes=, queue=, interruptible=, entrypoint=, produces_artifacts=, links=,
    **kwargs
TaskTemplate.post: self, return_vals
TaskTemplate.pre: self, *args, **kwargs
TaskTemplate.source_file
Timeout: max_runtime=None, max_queued_time=None, deadline=None
TimeoutType
Trigger: name, automation=None, description='', {_TRIGGER}
Trigger.minutely: trigger_time_input_key=None, *, name='minutely', description='A trigger that runs every minute',
    {_TRIGGER}
Trigger.hourly: trigger_time_input_key=None, *, name='hourly', description='A trigger that runs every hour',
    {_TRIGGER}
Trigger.daily: trigger_time_input_key=None, *, name='daily', description='A trigger that runs daily at midnight',
    {_TRIGGER}
Trigger.weekly: trigger_time_input_key=None, *, name='weekly', description='A trigger that runs weekly on Sundays at
    midnight', {_TRIGGER}
Trigger.monthly: trigger_time_input_key=None, *, name='monthly', description='A trigger that runs monthly on the 1st
    at midnight', {_TRIGGER}
TriggerTime
__version__
build: image, dry_run=False, force=False, wait=True
build.aio
build_images: *envs, copy_style='loaded_modules', seed_cache=None
build_images.aio
ctx:
current_domain:
current_project:
custom_context: **context
deploy: *envs, dry_run=False, version=None, interactive_mode=None, copy_style='loaded_modules', dryrun=None
deploy.aio
get_custom_context:
group: name
init: org=None, project=None, domain=None, root_dir=None, log_level=None, log_format=None, reset_root_logger=False,
    user_log_level=None, endpoint=None, headless=False, insecure=, insecure_skip_verify=False,
    ca_cert_file_path=None, auth_type='Pkce', command=None, proxy_command=None, api_key=None, client_id=None,
    client_credentials_secret=None, auth_client_config=None, rpc_retries=3, http_proxy_url=None,
    disable_keyring=False, storage=None, batch_size=1000, image_builder='local', images=None, image_registry=None,
    source_config_path=None, sync_local_sys_paths=True, load_plugin_type_transformers=True, local_persistence=False,
    local_tracked=False, local_tracked_strict=False, scopes=None
init.aio
init_from_api_key: api_key=None, project=None, domain=None, root_dir=None, log_level=None, log_format=None,
    storage=None, batch_size=1000, image_builder='local', images=None, sync_local_sys_paths=True,
    insecure_skip_verify=False, ca_cert_file_path=None
init_from_config: path_or_config=None, root_dir=None, log_level=None, log_format='console', user_log_level=None,
    org=None, project=None, domain=None, storage=None, batch_size=1000, image_builder=None, images=None,
    sync_local_sys_paths=True
init_in_cluster: org=None, project=None, domain=None, api_key=None, endpoint=None, insecure=
init_passthrough: endpoint=None, org=None, project=None, domain=None, insecure=
is_control_plane_available:
latest_checkpoint: root, glob_pattern='**/last.ckpt', *, key=None
logger
map.aio
new_condition: name, /, prompt='Approve?', prompt_type='text', data_type=bool, description='', timeout=None,
    webhook=None
new_condition.aio
rerun: run_name, action_name='a0', recover=False, force_rerun_actions=None, allow_missing_source_outputs=False,
    **inputs
run: task, /, *args, **kwargs
run.aio
system_logger
trace: func
version:
with_runcontext: mode=None, *, name=None, service_account=None, version=None, copy_style='loaded_modules',
    dry_run=False, copy_bundle_to=None, interactive_mode=None, raw_data_path=None, run_base_dir=None,
    run_start_time=None, overwrite_cache=False, project=None, domain=None, env_vars=None, labels=None,
    annotations=None, interruptible=None, log_level=None, log_format='console', user_log_level=None,
    reset_root_logger=False, disable_run_cache=False, queue=None, max_action_concurrency=None, notifications=None,
    custom_context=None, cache_lookup_scope=, preserve_original_types=False, debug=False, tracked=False,
    tracked_strict=False
""",
    "flyte.io": """
PARQUET
DataFrame.all: self
DataFrame.all_sync: self
DataFrame.from_df: val=None, uri=None
DataFrame.from_existing_remote: remote_path, format=None, **kwargs
DataFrame.from_local: df, columns=None, remote_destination=None, hash_method=None
DataFrame.from_local_sync: df, columns=None, remote_destination=None, hash_method=None
DataFrame.iter: self
DataFrame.open: self, dataframe_type
DataFrame.wrap_df: val=None, uri=None
Dir: *, path, name=None, format='', hash=None
Dir.download: self, local_path=None
Dir.download_sync: self, local_path=None
Dir.empty:
Dir.exists: self
Dir.from_existing_remote: remote_path, dir_cache_key=None
Dir.from_local: local_path, remote_destination=None, dir_cache_key=None, batch_size=None, chunk_size=None,
    max_concurrency=None
Dir.get_file: self, file_name
Dir.get_file_sync: self, file_name
Dir.list_files: self
Dir.new_remote: dir_name=None, hash=None
Dir.walk: self, recursive=True, max_depth=None
Dir.walk_sync: self, recursive=True, file_pattern='*', max_depth=None
EmptyDir
File: *, path, name=None, format='', hash=None, hash_method=None
File.download: self, local_path=None
File.exists: self
File.from_existing_remote: remote_path, file_cache_key=None
File.from_local: local_path, remote_destination=None, hash_method=None, chunk_size=None, max_concurrency=None
File.named_remote: name
File.new_remote: file_name=None, hash_method=None
File.open: self, mode='rb', block_size=None, cache_type='readahead', cache_options=None, compression=None, **kwargs
File.open_sync: self, mode='rb', block_size=None, cache_type='readahead', cache_options=None, compression=None,
    **kwargs
HashFunction: fn
HashFunction.from_fn: fn
HashFunction.reset: self
""",
    "flyte.remote": f"""
Action.get: uri=None, /, run_name=None, name=None
Action.listall: for_run_name, in_phase=None, parent_name=None, sort_by=None, created_at=None, updated_at=None
Action.done: self
ActionDetails.get: uri=None, /, run_name=None, name=None
ActionDetails.attempts
ActionDetails.error_info
ActionInputs: pb2=, data=
ActionOutputs: pb2=, data=, fields=None
ActionOutputs.named_outputs
Project.create: id, name, description='', labels=None
Project.get: name
Project.listall: filters=None, sort_by=None, archived=False
Project.update: id, name=None, description=None, labels=None, state=None
Run.done: self
Run.get: name
Run.listall: in_phase=None, task_name=None, task_version=None, created_by_subject=None, sort_by=None, limit=100,
    project=None, domain=None, created_at=None, updated_at=None, with_labels=None, with_label_keys=None,
    paused_actions_only=False
Run.name
Run.phase
Run.url
RunDetails.get: name=None
Secret.create: name, value, type='regular', cluster_pool=None
Secret.delete: name, cluster_pool=None
TaskDetails.task_type
TriggerDetails.metadata
TriggerDetails.status
auth_metadata: *kv
Secret.get: name, cluster_pool=None
Secret.listall: limit=10, cluster_pool=None
SecretTypes
Task.get: {_GET_TASK}
Task.listall: by_task_name=None, by_task_env=None, project=None, domain=None, sort_by=None, limit=100, entrypoint=None
TaskDetails.get: {_GET_TASK}
TaskDetails.fetch: {_GET_TASK}
TimeFilter: after=None, before=None
Trigger.create: trigger, task_name, task_version=None
Trigger.delete: name, task_name, project=None, domain=None
Trigger.get: *, name, task_name
Trigger.listall: task_name=None, task_version=None, limit=100
Trigger.update: name, task_name, active
TriggerDetails.get: *, name, task_name
User.get:
upload_dir: dir_path, verify=True, prefix=None
upload_dir.aio
upload_file: fp, verify=True, fname=None, content_type=None
upload_file.aio
""",
    "flyte.report": """
Report: name=, tabs=None, template_path=None
Report.get_final_report: self
Report.get_tab: self, name, create_if_missing=True
Report.has_content: self
Timeline: tab_name='main'
Timeline.heading: self, text
Timeline.row: self, *, icon=, label='', meta='', detail='', error=None
abbreviate: value, limit=300
current_report:
duration_ms: start_iso, end_iso
flush:
flush.aio
get_tab: name, /, create_if_missing=True
log: content, do_flush=False
log.aio
replace: content, do_flush=False
replace.aio
""",
    "flyte.errors": """
APPLE_SILICON_ERRORS_BY_CODE
ActionAbortedError: message
AppleSiliconError: message, worker=None
AppleSiliconDaemonOOMError: message, worker=None
ActionNotFoundError
BaseRuntimeError: code, kind, root_cause_message, worker=None
CodeBundleError: message
ConditionAlreadyExistsError: message
ConditionFailedError: message
ConditionNotFoundError: message
ConditionTimedoutError: message
CustomError: code, message
CustomError.from_exception: e
DeadlineExceededError: message
DeploymentError: message
ErrorKind
GPUFaultError: code, kind, message, worker=None, *, fault_kind=None, fault_code=None, fault_name=None,
    severity=None, gpu_uuid=None, gpu_index=None, node=None, pci_bus_id=None, process=None
GPUFaultSystemError: code, message, worker=None, **fault
GPUFaultUserError: code, message, worker=None, **fault
GPU_FAULT_CODES
ImageBuildError: message
ImagePullBackOffError: code, message, worker=None
InitializationError: code, kind, root_cause_message, worker=None
InlineIOMaxBytesBreached: message
InvalidImageNameError: code, message, worker=None
InvalidPackageError: package_name, original_error
LogsNotYetAvailableError: message
MaxQueuedTimeExceededError: message
MaxRuntimeExceededError: message
ModuleLoadError: message
NonRecoverableError: message, code='NonRecoverableError'
NotInTaskContextError: code=, message=, worker=None
OOMError: code, message, worker=None
OnlyAsyncIOSupportedError: message
ParameterMaterializationError: message
PrimaryContainerNotFoundError: code, message, worker=None
RemoteTaskNotFoundError: message
RemoteTaskUsageError: message
ResourceExhaustedError: message
RestrictedTypeError: message
RetriesExhaustedError: code, message, worker=None
RuntimeDataValidationError: var, e, task_name=''
RuntimeSystemError: code, message, worker=None
RuntimeUnknownError: code, message, worker=None
RuntimeUserError: code, message, worker=None
SlowDownError: message
SyncTaskCallInAsyncContextError: message
TaskInterruptedError: code, message, worker=None
TaskTimeoutError: message, code='TaskTimeoutError'
TraceDoesNotAllowNestedTasksError: message
UnionRpcError: code, message, worker=None
silence_polling_error: loop, context
""",
    "flyte.extend": """
PRIMARY_CONTAINER_DEFAULT_NAME
Architecture
AsyncFunctionTaskTemplate
ImageBuildEngine.build: image, builder=None, dry_run=False, force=False, wait=True
ImageBuildEngine.image_exists: image
get_proto_resources: resources
get_proto_extended_resources: resources
ImageBuilder.build_image: self, image, dry_run, wait=True, force=False
ImageBuilder.get_checkers: self
ImageChecker.image_exists: repository, tag, arch=('linux/amd64',)
TaskPluginRegistry
TaskPluginRegistry.register: config_type, plugin
TaskTemplate
is_initialized:
lazy_module: fullname
pod_spec_from_resources: primary_container_name='primary', requests=None, limits=None,
    k8s_gpu_resource_key='nvidia.com/gpu'
""",
    "flyte.storage": """
ABFS: retries=3, backoff=, enable_debug=False, attach_execution_metadata=True, account_name=None, account_key=None,
    tenant_id=None, client_id=None, client_secret=None
ABFS.auto:
GCS: retries=3, backoff=, enable_debug=False, attach_execution_metadata=True
GCS.auto:
S3: retries=3, backoff=, enable_debug=False, attach_execution_metadata=True, endpoint=None, access_key_id=None,
    secret_access_key=None, region=None, addressing_style=None
S3.auto: region=None
S3.for_sandbox:
Storage: retries=3, backoff=, enable_debug=False, attach_execution_metadata=True
Storage.get_fsspec_kwargs: self, anonymous=False, **kwargs
get_configured_fsspec_kwargs: protocol=None, anonymous=False
get_underlying_filesystem: protocol=None, anonymous=False, path=None, **kwargs
exists: path, **kwargs
exists_sync: path, **kwargs
get: from_path, to_path=None, recursive=False, **kwargs
get_random_local_directory:
get_random_local_path: file_path_or_file_name=None
get_stream: path, chunk_size=10485760, **kwargs
is_remote: path
join: *paths
open: path, mode='rb', **kwargs
put: from_path, to_path=None, recursive=False, batch_size=None, chunk_size=None, max_concurrency=None, **kwargs
put_stream: data_iterable, *, name=None, to_path=None, size_hint=None, chunk_size=None, max_concurrency=None, **kwargs
""",
    "flyte.types": """
FlytePickle.from_pickle: uri
FlytePickle.python_type:
FlytePickle.to_pickle: python_val
TypeEngine.dict_to_literal_map: d, type_hints=None
TypeEngine.get_available_transformers:
TypeEngine.get_transformer: python_type
TypeEngine.guess_python_type: flyte_type
TypeEngine.register: transformer, additional_types=None
TypeEngine.register_additional_type: transformer, additional_type, override=False
TypeEngine.register_restricted_type: name, type
TypeEngine.to_literal_type: python_type
TypeEngine.to_python_value: lv, expected_python_type
TypeTransformer.from_binary_idl: self, binary_idl_object, expected_python_type
TypeTransformer.to_literal: self, python_val, python_type, expected
TypeTransformerFailedError
""",
    "flyte.config": """
Config: platform=, task=, image=, local=, source=None
Config.auto: config_file=None
Config.with_params: self, platform=None, task=None, image=None
auto: config_file=None
get_config_file: c=
set_if_exists: d, k, val
""",
    "flyte.git": """
config_from_root: path='.flyte/config.yaml'
""",
    "flyte.models": """
ActionID: *, name, run_name=None, project=None, domain=None, org=None
ActionID.create_random:
ActionID.new_sub_action: self, name=None
ActionID.new_sub_action_from: self, task_call_seq, task_hash, input_hash, group
ActionID.unique_id_str: self, salt=None
ActionPhase.from_protobuf: pb_phase
ActionPhase.is_terminal
ActionPhase.to_protobuf_name: self
ActionPhase.to_protobuf_value: self
CLUSTERED_WORKER_ENV
CallCounter:
CallCounter.next: self, call_key
is_clustered_worker_env: env
TaskContext.replace: self, **kwargs
TaskContext.world_size
CheckpointPaths: prev_checkpoint_path, checkpoint_path
CodeBundle: *, computed_version, destination='.', tgz=None, pkl=None, downloaded_path=None, files=None
CodeBundle.with_downloaded_path: self, path
Docstring: docstring=None, callable_=None
Docstring.input_descriptions
Docstring.short_description
GroupData: name
MAX_INLINE_IO_BYTES
NULL_TASK_CONTEXT
NativeInterface: inputs, outputs, docstring=None
NativeInterface.convert_to_kwargs: self, *args, **kwargs
NativeInterface.from_callable: func
NativeInterface.from_types: inputs, outputs, default_inputs=None
NativeInterface.get_input_types: self
NativeInterface.has_outputs: self
NativeInterface.json_schema
NativeInterface.num_required_inputs: self
NativeInterface.required_inputs: self
PathRewrite: old_prefix, new_prefix
PathRewrite.from_str: pattern
RawDataPath: *, path, path_rewrite=None
RawDataPath.from_local_folder: local_folder=None
RawDataPath.get_random_remote_path: self, file_name=None
SerializationContext: version, project=None, domain=None, org=None, code_bundle=None, input_path=, output_path=,
    interpreter_path=, image_cache=None, root_dir=None
SerializationContext.get_entrypoint_path: self, interpreter_path=None
TaskContext.is_in_cluster: self
TaskContext.attempt_number
TaskContext.checkpoint
TaskContext.replace: self, **kwargs
extract_return_annotation: return_annotation
generate_random_name:
literal_to_enum: literal_type
logger
""",
    "flyte.syncify": """
Syncify: name='flyte_syncify'
syncify: obj
""",
    "flyte.notify": """
Email: *, on_phase, recipients, cc=(), bcc=(), subject='Run {{.Run.Name}} {{.Phase}}', body=, html_body=None
NamedDelivery: *, on_phase, name
NamedRule: name
Notification: *, on_phase
Slack: *, on_phase, webhook_url, message=None, blocks=None
Teams: *, on_phase, webhook_url, title='Run {{.Run.Name}} {{.Phase}}', message=None, card=None
Webhook: *, on_phase, url, method='POST', headers=None, body=None
""",
    "flyte.durable": """
now:
now.aio
sleep: seconds
sleep.aio
time:
time.aio
""",
    "flyte.extras": """
BatchStats
BatchStats.utilization
DynamicBatcher: process_fn, *, cost_estimator=None, target_batch_cost=32000, max_batch_size=256, min_batch_size=1,
    batch_timeout_s=0.05, max_queue_size=5000, prefetch_batches=2, default_cost=1
DynamicBatcher.submit: self, record, *, estimated_cost=None
DynamicBatcher.submit_batch: self, records, *, estimated_cost=None
Prompt: text
TokenBatcher: inference_fn=None, *, process_fn=None, token_estimator=None, cost_estimator=None,
    target_batch_tokens=None, target_batch_cost=32000, default_token_estimate=None, default_cost=1,
    max_batch_size=256, min_batch_size=1, batch_timeout_s=0.05, max_queue_size=5000, prefetch_batches=2
""",
}
"""Module -> its names."""

AWAITED_TOO = (
    *("Run.get", "Run.listall", "Run.wait", "Run.outputs", "Run.inputs", "Run.details", "Run.abort", "Run.get_logs"),
    *("Run.show_logs", "Run.raise_for_status", "Run.first_failure", "Run.typed_inputs", "Run.typed_outputs"),
    *("RunDetails.get", "Action.get", "Action.listall", "Action.abort", "Action.get_logs", "Action.show_logs"),
    *("ActionDetails.get", "Project.create", "Project.get", "Project.listall", "Project.update", "Secret.create"),
    *("Secret.get", "Secret.listall", "Secret.delete", "Task.listall", "Trigger.create", "Trigger.get"),
    *("Trigger.listall", "Trigger.update", "Trigger.delete", "User.get", "upload_file", "upload_dir"),
)
"""What of `flyte.remote` blocks when called and is awaited as `.aio`."""

ABSENT: dict[str, tuple[str, ...]] = {
    "flyte": ("serve", "AppHandle", "with_servecontext", "OnArtifact", "run_python_script", "app"),
    "flyte.extend": ("RuntimeTaskTemplate", "download_code_bundle"),
    "flyte.extras": ("ContainerTask", "shell", "model_streamer", "webhooks"),
    "flyte.remote": ("App", "Artifact", "Settings"),
}
"""What is left out, and says so."""

ABSENT_MODULES = (
    *("flyte.ai.agents", "flyte.app", "flyte.app.extras", "flyte.artifacts", "flyte.clustered", "flyte.connectors"),
    *("flyte.extras.shell", "flyte.prefetch", "flyte.sandbox"),
)
"""Modules that are left out, and say so however they are imported."""
