"""The grammar and the greatest length of every kind of name, in one table.

Both ends use it: the SDK before it sends a name and admin before it stores one. A name that passes here fits into the
database columns, into object-store keys and, where it must, into Kubernetes labels and names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

from flyte.spec.problems import InvalidSetting, InvalidSettingType

DEFAULT_QUEUE: Final = "default"
"""The queue of actions for which nothing names one. It always exists and cannot be deleted."""

VERSION_ANNOTATION: Final = "flyte.org/version"
"""The annotation of a run that holds the version of its code: of the deployed task, or what its submitter calls it."""

_SNAKE_OR_KEBAB: Final = r"[a-z0-9]+([_-][a-z0-9]+)*"
_DNS_LABEL: Final = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_DNS_SUBDOMAIN: Final = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"
_LABEL_WORD: Final = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"


class NameKind(StrEnum):
    """What a name names."""

    ENVIRONMENT = "environment"
    TASK = "task"
    SHORT_NAME = "short name"
    RUN = "run"
    PROJECT = "project"
    DOMAIN = "domain"
    QUEUE = "queue"
    CLUSTER = "cluster"
    RESOURCE_CLASS = "resource class"
    TRIGGER = "trigger"
    SECRET_KEY = "secret key"
    SECRET_GROUP = "secret group"
    ENV_VAR = "environment variable"
    SERVICE_ACCOUNT = "service account"
    POD_TEMPLATE = "pod template"
    GROUP = "group"
    VERSION = "version"
    LABEL_KEY = "label key"
    LABEL_VALUE = "label value"


@dataclass(frozen=True)
class NameRule:
    """One kind of name: its grammar, its greatest length in characters, and the grammar in words."""

    grammar: str
    max_length: int
    words: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The grammar, compiled: most programs check names of a few kinds only."""
        return re.compile(rf"\A(?:{self.grammar})\Z")


_DNS_WORDS: Final = "lower-case letters, digits and '-', beginning and ending with a letter or digit"
_SUBDOMAIN_WORDS: Final = (
    "lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit"
)

_FILE_NAME: Final = r"(?!\.\.?\Z)[A-Za-z0-9._-]+"
_FILE_NAME_WORDS: Final = "letters, digits, '-', '_' and '.', and neither '.' nor '..'"

RULES: Final[dict[NameKind, NameRule]] = {
    NameKind.ENVIRONMENT: NameRule(_SNAKE_OR_KEBAB, 128, "snake_case or kebab-case"),
    NameKind.TASK: NameRule(
        rf"{_SNAKE_OR_KEBAB}\.[^\W\d][\w-]*", 255, "the environment's name, a dot, the function's name"
    ),
    NameKind.SHORT_NAME: NameRule(r"[^\x00-\x1f\x7f]+", 128, "any text on one line"),
    NameKind.RUN: NameRule(r"[a-z]([a-z0-9-]*[a-z0-9])?", 63, f"{_DNS_WORDS}, beginning with a letter"),
    NameKind.PROJECT: NameRule(_DNS_LABEL, 63, _DNS_WORDS),
    NameKind.DOMAIN: NameRule(_DNS_LABEL, 63, _DNS_WORDS),
    NameKind.QUEUE: NameRule(_DNS_LABEL, 63, _DNS_WORDS),
    NameKind.CLUSTER: NameRule(_LABEL_WORD, 63, "letters, digits, '-', '_' and '.'"),
    NameKind.RESOURCE_CLASS: NameRule(_LABEL_WORD, 63, "letters, digits, '-', '_' and '.'"),
    NameKind.TRIGGER: NameRule(_LABEL_WORD, 128, "letters, digits, '-', '_' and '.'"),
    NameKind.SECRET_KEY: NameRule(_FILE_NAME, 253, _FILE_NAME_WORDS),
    NameKind.SECRET_GROUP: NameRule(_FILE_NAME, 253, _FILE_NAME_WORDS),
    NameKind.ENV_VAR: NameRule(r"[A-Za-z_][A-Za-z0-9_]*", 255, "letters, digits and '_', not beginning with a digit"),
    NameKind.SERVICE_ACCOUNT: NameRule(_DNS_SUBDOMAIN, 253, _SUBDOMAIN_WORDS),
    NameKind.POD_TEMPLATE: NameRule(_DNS_SUBDOMAIN, 253, _SUBDOMAIN_WORDS),
    NameKind.GROUP: NameRule(r"[^\x00-\x1f\x7f]+", 255, "any text on one line"),
    NameKind.VERSION: NameRule(
        r"[A-Za-z0-9]([A-Za-z0-9._+-]*[A-Za-z0-9])?", 64, "letters, digits, '-', '_', '+' and '.'"
    ),
    NameKind.LABEL_KEY: NameRule(
        rf"({_DNS_SUBDOMAIN}/)?[A-Za-z0-9]([A-Za-z0-9._-]{{0,61}}[A-Za-z0-9])?", 317, "a Kubernetes label key"
    ),
    NameKind.LABEL_VALUE: NameRule(rf"({_LABEL_WORD})?", 63, "letters, digits, '-', '_' and '.', or nothing"),
}


def check_name(value: object, *, kind: NameKind, field: str | None = None) -> str:
    """Return the name if it is a well-formed one of its kind.

    Raises InvalidSettingType for anything but a str and InvalidSetting for a name that is malformed or too long.
    """
    where = field or str(kind)
    if not isinstance(value, str):
        raise InvalidSettingType(f"Expected {where} to be of type str, got {type(value)}", field=where)
    rule = RULES[kind]
    if len(value) > rule.max_length:
        raise InvalidSetting(
            f"{where} has {len(value)} characters; the limit is {rule.max_length}. Use a shorter name.", field=where
        )
    if not rule.pattern.match(value):
        raise InvalidSetting(f"{where} {value!r} is malformed: use {rule.words}.", field=where)
    return value


def is_name(value: str, *, kind: NameKind) -> bool:
    """Tell whether a text is a well-formed name of a kind."""
    rule = RULES[kind]
    return len(value) <= rule.max_length and rule.pattern.match(value) is not None


def check_environment_name(value: object) -> str:
    """Return the name of an environment, or raise with the message that users of the peer SDK know."""
    if isinstance(value, str) and not RULES[NameKind.ENVIRONMENT].pattern.match(value):
        raise InvalidSetting(f"Environment name '{value}' must be in snake_case or kebab-case format.", field="name")
    return check_name(value, kind=NameKind.ENVIRONMENT, field="name")


def check_labels(labels: dict[str, str], *, field: str = "labels") -> dict[str, str]:
    """Return labels whose keys and values Kubernetes accepts, or raise InvalidSetting."""
    for key, value in labels.items():
        check_name(key, kind=NameKind.LABEL_KEY, field=f"{field} key")
        check_name(value, kind=NameKind.LABEL_VALUE, field=f"{field}[{key}]")
    return labels


def task_name(*, environment: str, function: str) -> str:
    """Return the full name of a task."""
    return f"{environment}.{function}"
