"""What a secret is called, where it holds, and in which order scopes are searched.

The grammar is that of `flyte.spec`, so that what the SDK lets pass is what the service takes. No name can reach over
the border of its field: "/" is in no part of one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from flyte.spec.names import NameKind, check_name
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyteplane.foundation.errors import InvalidArgument


class SecretScope(NamedTuple):
    """Where a secret holds; an empty part means "all of them"."""

    project: str = ""
    domain: str = ""

    @property
    def words(self) -> str:
        """The scope, for people."""
        if self.project and self.domain:
            return f"project {self.project} and domain {self.domain}"
        if self.project:
            return f"project {self.project}"
        return f"domain {self.domain}" if self.domain else "the organisation"


#: The scope of secrets that hold everywhere.
ORGANISATION: Final = SecretScope()


class SecretReference(NamedTuple):
    """A secret as a task asks for it: in whatever scope it is found first."""

    group: str
    key: str

    @property
    def id(self) -> str:
        """`key` or `group/key`; the form in tokens, messages and the audit trail."""
        return f"{self.group}/{self.key}" if self.group else self.key

    def at(self, scope: SecretScope) -> SecretName:
        """The secret of this name in one scope."""
        return SecretName(scope.project, scope.domain, self.group, self.key)


class SecretName(NamedTuple):
    """Identity of a stored secret. Lists are in the order of this tuple."""

    project: str
    domain: str
    group: str
    key: str

    @property
    def scope(self) -> SecretScope:
        """Where it holds."""
        return SecretScope(self.project, self.domain)

    @property
    def reference(self) -> SecretReference:
        """How a task would ask for it."""
        return SecretReference(self.group, self.key)

    @property
    def words(self) -> str:
        """The secret with its scope, for people."""
        return f"{self.reference.id!r} in {self.scope.words}"


def lookup_order(scope: SecretScope) -> tuple[SecretScope, ...]:
    """Scopes to search for a run of this project and domain: the most specific first, none twice."""
    project, domain = scope
    order = (scope, SecretScope(project=project), SecretScope(domain=domain), ORGANISATION)
    return tuple(dict.fromkeys(order))


def parse_scope(project: str, domain: str) -> SecretScope:
    """A scope from its parts. Raises InvalidArgument."""
    if project:
        _checked(project, NameKind.PROJECT, "scope.project")
    if domain:
        _checked(domain, NameKind.DOMAIN, "scope.domain")
    return SecretScope(project, domain)


def parse_name(scope: SecretScope, *, key: str, group: str) -> SecretName:
    """A name from its parts. Raises InvalidArgument."""
    _checked(key, NameKind.SECRET_KEY, "key")
    if group:
        _checked(group, NameKind.SECRET_GROUP, "group")
    return SecretName(scope.project, scope.domain, group, key)


def _checked(text: str, kind: NameKind, field: str) -> None:
    try:
        check_name(text, kind=kind, field=field)
    except (InvalidSetting, InvalidSettingType) as error:
        raise InvalidArgument(str(error), field=field) from None
