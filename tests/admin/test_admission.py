"""What is refused before anything is stored: every refusal names the field, the limit and the mend (S-59)."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import pytest
from tests.admin.conftest import Admin, create_request, inputs, run_id, task_spec
from tests.admin.refusals import refused

from flyteapi.admin.v1 import run_service_pb2 as pb
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.value_pb2 import ListValue, NamedValue, NamedValues, NoneValue, Payload, PayloadReference, Value

Change = Callable[[pb.CreateRunRequest], object]


def with_settings(**fields: object) -> Change:
    return lambda request: request.settings.CopyFrom(RunSettings(**fields))  # type: ignore[arg-type]


def with_inputs(payload: Payload) -> Change:
    return lambda request: request.inputs.CopyFrom(payload)


def named(*entries: NamedValue) -> Payload:
    return Payload(inline=NamedValues(values=entries).SerializeToString())


def nested(depth: int) -> Value:
    value = Value(int=1)
    for _ in range(depth):
        value = Value(list=ListValue(items=[value]))
    return value


REFUSALS: dict[str, tuple[Change, str]] = {
    "run name with capitals": (lambda r: setattr(r.run, "name", "Big"), "run.name"),
    "run name that begins with a digit": (lambda r: setattr(r.run, "name", "1st"), "run.name"),
    "run name that is too long": (lambda r: setattr(r.run, "name", "a" * 64), "run.name"),
    "run name with a homoglyph": (lambda r: setattr(r.run, "name", "r\u0430n"), "run.name"),
    "run name with NUL": (lambda r: setattr(r.run, "name", "r\0n"), "run.name"),
    "no project": (lambda r: setattr(r.run, "project", ""), "run.project"),
    "domain with a slash": (lambda r: setattr(r.run, "domain", "a/b"), "run.domain"),
    "long request id": (lambda r: setattr(r, "request_id", "q" * 65), "request_id"),
    "no task": (lambda r: r.ClearField("spec"), "task"),
    "task name without environment": (lambda r: setattr(r.spec, "name", "square"), "spec.name"),
    "bad variable": (with_settings(env={"1A": "x"}), "settings.env"),
    "variables of a million bytes": (with_settings(env={"A": "x" * 1_000_000}), "settings"),
    "too many variables": (with_settings(env={f"A{i}": "x" for i in range(1001)}), "settings.env"),
    "bad label": (with_settings(labels={"team": "not a label"}), "settings.labels[team]"),
    "label of the platform": (with_settings(labels={"flyteplane.dev/run": "other"}), "settings.labels"),
    "annotation of the platform": (
        with_settings(annotations={"flyteplane.dev/worker": "other"}),
        "settings.annotations",
    ),
    "bad annotation key": (with_settings(annotations={"a b": "c"}), "settings.annotations key"),
    "annotations of a megabyte": (with_settings(annotations={"a": "x" * 300_000}), "settings.annotations"),
    "bad queue": (with_settings(queue="no spaces"), "settings.queue"),
    "unknown cache scope": (with_settings(cache_lookup_scope="moon"), "settings.cache_lookup_scope"),
    "one action at once": (with_settings(max_action_concurrency=1), "settings.max_action_concurrency"),
    "forced actions without recovery": (with_settings(force_actions=["a"]), "settings.force_actions"),
    "missing input": (with_inputs(Payload()), "inputs.x"),
    "unknown input": (with_inputs(inputs(x=1, y=2)), "inputs.y"),
    "input given twice": (with_inputs(named(*[NamedValue(name="x", value=Value(int=1))] * 2)), "inputs.x"),
    "input of another type": (with_inputs(named(NamedValue(name="x", value=Value(string="3")))), "inputs.x"),
    "input without a value": (with_inputs(named(NamedValue(name="x"))), "inputs.x"),
    "inputs that are no message": (with_inputs(Payload(inline=b"\xff\xff")), "inputs.inline"),
    "inputs nested too deeply": (with_inputs(named(NamedValue(name="x", value=nested(40)))), "inputs"),
    "inline inputs that are too large": (with_inputs(Payload(inline=b"\0" * 300_000)), "inputs.inline"),
    "referenced inputs over the task's limit": (
        with_inputs(Payload(reference=PayloadReference(uri="file:///x", size_bytes=1 << 40))),
        "inputs",
    ),
    "digest of another length": (lambda r: setattr(r, "inputs_digest", b"short"), "inputs_digest"),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_a_request_that_can_never_work_names_its_field_and_stores_nothing(admin: Admin, case: str) -> None:
    change, field = REFUSALS[case]
    request = create_request("r1", request_id="q1")
    change(request)
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        await admin.runs.CreateRun(request)
    assert refusal.field.startswith(field)
    assert len(refusal.text) > 20
    assert admin.rows("select count(*) from runs") == [(0,)]
    assert admin.scheduler.accept_calls == 0


async def test_a_list_of_a_hundred_thousand_numbers_fits_inline(admin: Admin) -> None:
    spec = task_spec()
    spec.interface.inputs[0].json_schema = '{"type": "array"}'
    request = create_request("r1", spec=spec)
    value = Value()
    value.ints.items.extend(range(100_000))
    request.inputs.CopyFrom(named(NamedValue(name="x", value=value)))
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        await admin.runs.CreateRun(request)
    assert refusal.error.limit == "256 KiB inline"
    value.ints.items[:] = [1] * 100_000
    request.inputs.CopyFrom(named(NamedValue(name="x", value=value)))
    assert (await admin.runs.CreateRun(request)).created


async def test_inputs_with_defaults_may_be_left_out(admin: Admin) -> None:
    assert (await admin.runs.CreateRun(create_request("r1"))).created
    request = create_request("r2")
    request.inputs.CopyFrom(inputs(x=1, note="hello"))
    assert (await admin.runs.CreateRun(request)).created


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ('{"type": "integer"}', Value(big_int="1" * 40)),
        ('{"type": "number"}', Value(int=3)),
        ('{"type": "string", "format": "date-time"}', Value(none=NoneValue())),
        ('{"anyOf": [{"type": "integer"}, {"type": "null"}]}', Value(none=NoneValue())),
        ("", Value(bool=True)),
        ("not json", Value(bool=True)),
        ('{"type": ["integer", "null"]}', Value(none=NoneValue())),
    ],
)
async def test_a_type_that_the_schema_does_not_decide_is_left_to_the_worker(
    admin: Admin, schema: str, value: Value
) -> None:
    spec = task_spec()
    spec.interface.inputs[0].json_schema = schema if schema != "not json" else "{}"
    request = create_request("r1", spec=spec)
    request.inputs.CopyFrom(named(NamedValue(name="x", value=value)))
    assert (await admin.runs.CreateRun(request)).created


async def test_an_unknown_deployed_version_is_not_found(admin: Admin) -> None:
    request = create_request("r1")
    request.deployed.CopyFrom(pb.TaskVersionId(name="env.square", version="v1"))
    with refused(grpc.StatusCode.NOT_FOUND) as refusal:
        await admin.runs.CreateRun(request)
    assert refusal.reason == "TASK_NOT_FOUND"
    assert "flyte deploy" in refusal.text
    with refused(grpc.StatusCode.NOT_FOUND):
        await admin.runs.GetRun(pb.GetRunRequest(run=run_id("r1")))
