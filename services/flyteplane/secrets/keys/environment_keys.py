"""Key-encryption keys from environment variables, for a platform whose keys a key store hands to it at start.

    FLYTEPLANE_SECRETS_KEY        the current key: 32 bytes in base64
    FLYTEPLANE_SECRETS_OLD_KEYS   keys before it, separated by commas; needed until the platform has started once with
                                  the current one

They are the operator's: the platform makes none, and replacing the current one takes a start with the new one, which
moves every secret under it. Workers do not inherit these variables.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument
from flyteplane.secrets.domain.cipher import KEY_BYTES, RandomBytes
from flyteplane.secrets.keys.key_ring import KeyRing

CURRENT: Final = "FLYTEPLANE_SECRETS_KEY"
OLDER: Final = "FLYTEPLANE_SECRETS_OLD_KEYS"


class EnvironmentKeys(KeyRing):
    """Implements `KeyProvider` with keys that were given at the start."""

    async def new_key(self) -> str:
        """See the port."""
        raise FailedPrecondition(
            "the keys come from the environment, where the platform can make none",
            reason="KEYS_OF_OPERATOR",
            mend=f"Put the key before into {OLDER}, a new one into {CURRENT}, and start the platform again.",
        )


def environment_keys(environment: Mapping[str, str], *, random_bytes: RandomBytes) -> EnvironmentKeys | None:
    """The keys that the variables hold; None if they hold none. Raises InvalidArgument, which quotes no key."""
    current = environment.get(CURRENT, "").strip()
    older = [text.strip() for text in environment.get(OLDER, "").split(",") if text.strip()]
    if not current:
        if older:
            raise InvalidArgument(f"{OLDER} is set without {CURRENT}", field=OLDER, mend=f"Set {CURRENT} as well.")
        return None
    keys = [*(_key(text, field=OLDER) for text in older), _key(current, field=CURRENT)]
    return EnvironmentKeys(keys, random_bytes=random_bytes)


def _key(text: str, *, field: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidArgument(
            f"{field} does not hold {KEY_BYTES} bytes in base64",
            field=field,
            mend="Make a key with `openssl rand -base64 32`.",
        )
    return key
