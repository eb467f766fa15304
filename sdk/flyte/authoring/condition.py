"""`flyte.new_condition`: a task waits until a person has answered.

In a local run the person is asked on the console. On a platform the question is an action of its own, which no worker
carries out: it waits in the store until somebody answers with `flyte signal condition` or `flyte.remote.Condition`.

An answer is recorded like a traced call: an attempt after the one that got it does not ask again.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, Literal, Protocol, TypeVar, runtime_checkable

from flyte.authoring.context import current
from flyte.authoring.interface import NativeInterface
from flyte.authoring.task import TaskTemplate
from flyte.authoring.trace import trace
from flyte.spec.names import NameKind, check_name
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.syncify import syncify

Answer = TypeVar("Answer", bool, int, float, str)

DATA_TYPES: Final = (bool, int, float, str)
_KEY: Final = "flyte.conditions"


@dataclass(frozen=True, slots=True)
class ConditionWebhook:
    """A web address that is told of a condition: `payload` as JSON, by default its name and prompt."""

    url: str
    payload: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.url.startswith(("https://", "http://")):
            raise InvalidSetting(f"url must begin with https:// or http://, got {self.url!r}", field="webhook.url")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person is asked."""

    name: str
    prompt: str
    prompt_type: Literal["text", "markdown"]
    data_type: type
    description: str
    timeout_s: float | None
    webhook: ConditionWebhook | None


@runtime_checkable
class AsksPeople(Protocol):
    """A controller that can put a question to a person."""

    async def ask(self, question: Question) -> str:
        """Return what was answered, as text that `read_answer` reads.

        Raises ConditionTimedoutError, ConditionFailedError.
        """
        ...


class ConditionTask(TaskTemplate[[], Any, Any]):
    """A question as what it is on a platform: a task that no worker carries out."""

    def __init__(self, question: Question) -> None:
        interface = NativeInterface({}, {"o0": question.data_type})
        super().__init__(name=f"condition.{_identifier(question.name)}", interface=interface, task_type="condition")
        self.question = question


def _identifier(name: str) -> str:
    """A name for a task that is different for different names of conditions."""
    plain = re.sub(r"\W", "_", name)[:100]
    if plain == name and not name[0].isdigit():
        return name
    return f"_{plain}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


class Condition(Generic[Answer]):
    """A condition of the running action. Made by `flyte.new_condition`."""

    def __init__(self, question: Question, asker: AsksPeople) -> None:
        self._question = question
        self._asker = asker

    @property
    def name(self) -> str:
        """The name, unique in the action."""
        return self._question.name

    @property
    def prompt(self) -> str:
        """What is asked."""
        return self._question.prompt

    @property
    def data_type(self) -> type:
        """The type of the answer."""
        return self._question.data_type

    def __repr__(self) -> str:
        return f"Condition(name={self.name!r}, data_type={self.data_type.__name__})"

    @syncify.method
    async def wait(self) -> Answer:
        """Return the answer when it is there.

        Raises ConditionTimedoutError when nobody answered in time, ConditionFailedError when nobody can.
        """
        answer: Answer = read_answer(await answered(self._question.name, self), self._question.data_type)
        return answer

    async def ask(self) -> str:
        """Put the question to a person and return what was answered, as text."""
        return await self._asker.ask(self._question)


@syncify
async def new_condition(
    name: str,
    /,
    prompt: str = "Approve?",
    prompt_type: Literal["text", "markdown"] = "text",
    data_type: type = bool,
    description: str = "",
    timeout: timedelta | int | float | None = None,
    webhook: ConditionWebhook | None = None,
) -> Condition[Any]:
    """Return a condition of the running action, which its `wait()` waits for.

    - `data_type`: bool, int, float or str.
    - `timeout`: how long `wait` waits, in seconds or as a timedelta; None for ever.

    Raises NotInTaskContextError outside of a task, ConditionAlreadyExistsError for a name that the attempt has used
    before, and InvalidSetting or InvalidSettingType for a parameter that is not valid.
    """
    question = _question(name, prompt, prompt_type, data_type, description, timeout, webhook)
    return Condition(question, _asker_of(question))


def read_answer(text: str, data_type: type) -> Any:
    """Return an answer as its type. Raises ValueError for a text that is none."""
    if data_type is str:
        return text
    word = text.strip()
    if data_type is bool:
        if word.lower() in _WORDS:
            return _WORDS[word.lower()]
        raise ValueError(f"{word!r} is neither yes nor no")
    return data_type(word)


_WORDS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("y", "yes", "true", "1", "approve", "approved"), True),
    **dict.fromkeys(("n", "no", "false", "0", "reject", "rejected"), False),
}


async def answered(name: str, condition: Condition[Any]) -> str:
    """Return the answer of a condition, from an attempt before if that got one."""

    @trace
    async def answer_of_condition(name: str) -> str:
        return await condition.ask()

    return await answer_of_condition(name)


def _question(
    name: str,
    prompt: str,
    prompt_type: Literal["text", "markdown"],
    data_type: type,
    description: str,
    timeout: timedelta | int | float | None,
    webhook: ConditionWebhook | None,
) -> Question:
    check_name(name, kind=NameKind.GROUP)
    if data_type not in DATA_TYPES:
        raise InvalidSettingType(f"Invalid data_type {data_type!r}. Must be one of {DATA_TYPES}.", field="data_type")
    if prompt_type not in ("text", "markdown"):
        raise InvalidSetting(f"prompt_type must be 'text' or 'markdown', got {prompt_type!r}", field="prompt_type")
    return Question(
        name=name,
        prompt=prompt,
        prompt_type=prompt_type,
        data_type=data_type,
        description=description,
        timeout_s=_seconds(timeout),
        webhook=webhook,
    )


def _seconds(timeout: timedelta | int | float | None) -> float | None:
    if timeout is None:
        return None
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidSettingType(f"timeout must be seconds or a timedelta, got {timeout!r}", field="timeout")
    if not (math.isfinite(seconds) and seconds > 0):
        raise InvalidSetting(f"timeout must be more than 0 seconds, got {seconds:g}", field="timeout")
    return float(seconds)


def _asker_of(question: Question) -> AsksPeople:
    from flyte.errors import ConditionAlreadyExistsError, ConditionFailedError, NotInTaskContextError

    context = current()
    if context is None:
        raise NotInTaskContextError(message="A condition belongs to an action: make it inside of a task.")
    if not isinstance(context.controller, AsksPeople):
        raise ConditionFailedError(f"Condition {question.name!r}: there is nobody to ask from here.")
    names = context.task_context.data.setdefault(_KEY, set())
    if question.name in names:
        raise ConditionAlreadyExistsError(f"The action has a condition {question.name!r} already. Choose another name.")
    names.add(question.name)
    return context.controller
