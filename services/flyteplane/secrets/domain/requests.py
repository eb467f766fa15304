"""What an attempt asks for, checked by the rules that the SDK has checked it by already.

Where a value will go is no business of this service, but a request that would put it into `PATH`, or two of them into
one variable, comes from a client that skipped the rules; refusing it here costs nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.secrets import Secret, normalise_secrets
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.secrets.domain.names import SecretReference


class Delivery(NamedTuple):
    """One secret of a task, and where its value goes."""

    key: str
    group: str
    env_var: str
    mount_path: str


def parse_requests(deliveries: Sequence[Delivery]) -> tuple[SecretReference, ...]:
    """The secrets that are asked for, in order. Raises InvalidArgument."""
    try:
        secrets = normalise_secrets([_secret(delivery) for delivery in deliveries])
    except (InvalidSetting, InvalidSettingType) as error:
        raise InvalidArgument(str(error), field=error.field) from None
    return tuple(SecretReference(secret.group or "", secret.key) for secret in secrets)


def _secret(delivery: Delivery) -> Secret:
    return Secret(
        delivery.key,
        group=delivery.group or None,
        mount=Path(delivery.mount_path) if delivery.mount_path else None,
        as_env_var=delivery.env_var or None,
    )
