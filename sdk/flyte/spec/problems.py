"""The errors of configuration values.

One pair of exceptions for every rule of `flyte.spec`, so that the SDK can show them to a person and a service can turn
them into INVALID_ARGUMENT with the name of the field. They are a ValueError and a TypeError because programs written
for the peer SDK catch those.
"""

from __future__ import annotations


class InvalidSetting(ValueError):
    """A setting has a value that cannot be kept. The message names the limit and the mend."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field
        """The parameter that is wrong, as the user spells it, for example `resources.cpu`."""

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), str(self), self.field))


class InvalidSettingType(TypeError):
    """A setting has a value of the wrong type."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field
        """The parameter that is wrong, as the user spells it."""

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), str(self), self.field))


def _rebuild(kind: type[InvalidSetting] | type[InvalidSettingType], message: str, field: str) -> Exception:
    return kind(message, field=field)
