"""Callers: a subject and the roles that it has, each in a scope. Values and pure rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Role(IntEnum):
    """What a subject may do; each includes those before it. The numbers are those of `flyteapi.admin.v1.Role`."""

    VIEWER = 1
    RUNNER = 2
    OPERATOR = 3
    ADMIN = 4

    @property
    def word(self) -> str:
        """As people write it."""
        return self.name.lower()

    @classmethod
    def named(cls, word: str) -> Role | None:
        """The role that people write so; None if there is none."""
        return cls.__members__.get(word.upper()) if word == word.lower() else None


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """A project and domain; an empty field means all of them."""

    project: str = ""
    domain: str = ""

    def covers(self, other: Scope) -> bool:
        """Whether all of `other` lies in this scope."""
        return self.project in ("", other.project) and self.domain in ("", other.domain)

    def touches(self, other: Scope) -> bool:
        """Whether some part of `other` lies in this scope."""
        return ("" in (self.project, other.project) or self.project == other.project) and (
            "" in (self.domain, other.domain) or self.domain == other.domain
        )

    @property
    def words(self) -> str:
        """For people: `a/development`, `a`, or the whole platform."""
        if not self.project:
            return f"the domain {self.domain} of every project" if self.domain else "the whole platform"
        return f"{self.project}/{self.domain}" if self.domain else f"the project {self.project}"


EVERYWHERE: Final = Scope()


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """A role in a scope."""

    role: Role
    scope: Scope = EVERYWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, once it is proven."""

    subject: str
    """For example "key:laptop", "oidc:alice@example.org" or "local:alice"."""
    grants: tuple[Grant, ...] = ()

    def may(self, role: Role, scope: Scope) -> bool:
        """Whether it has a role in all of a scope."""
        return any(grant.role >= role and grant.scope.covers(scope) for grant in self.grants)

    def may_somewhere(self, role: Role, scope: Scope = EVERYWHERE) -> bool:
        """Whether it has a role in some part of a scope."""
        return any(grant.role >= role and grant.scope.touches(scope) for grant in self.grants)


_current: ContextVar[Caller | None] = ContextVar("flyteplane_caller", default=None)


def current_caller() -> Caller | None:
    """The caller of the call that is being served; None for a call that came from another part of the platform."""
    return _current.get()


@contextmanager
def called_by(caller: Caller) -> Iterator[None]:
    """Everything inside is done for `caller`."""
    token = _current.set(caller)
    try:
        yield
    finally:
        _current.reset(token)
