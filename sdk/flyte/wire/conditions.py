"""A condition as the task version that the platform keeps: a question, its type and how long it waits."""

from __future__ import annotations

from flyte.authoring.condition import ConditionTask
from flyte.types.interface import interface_codec
from flyte.wire import task_settings
from flyteapi.task.v1 import task_spec_pb2


def condition_to_proto(task: ConditionTask) -> task_spec_pb2.TaskSpec:
    """Return the task version of a question."""
    question = task.question
    spec = task_spec_pb2.TaskSpec(
        name=task.name,
        environment=task.name.partition(".")[0],
        short_name=question.name[:128],
        interface=interface_codec(task.interface).to_proto(),
        short_description=question.description,
        condition=task_spec_pb2.Condition(
            data_type=question.data_type.__name__,
            prompt=question.prompt,
            prompt_type=question.prompt_type,
            description=question.description,
        ),
    )
    if question.timeout_s is not None:
        spec.timeouts.deadline.CopyFrom(task_settings.duration(question.timeout_s))
    return spec
