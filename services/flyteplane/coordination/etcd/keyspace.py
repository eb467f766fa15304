"""Our keys in etcd: text below one prefix, there bytes below the installation's prefix."""

from dataclasses import dataclass
from typing import Final

from etcdserverpb.key_value_pb2 import KeyValue as WireKeyValue
from flyteplane.coordination.values import KeyValue

#: As the end of a range: all keys from its beginning on.
_NO_END: Final = b"\0"


@dataclass(frozen=True, slots=True)
class KeyRange:
    """All keys from `start`, up to and without `end`."""

    start: bytes
    end: bytes


@dataclass(frozen=True, slots=True)
class Keyspace:
    """The keys of one installation.

    Attributes:
        prefix: stands before each of them in etcd.
    """

    prefix: str

    def stored(self, key: str) -> bytes:
        """The key as etcd has it."""
        return (self.prefix + key).encode(errors="surrogateescape")

    def below(self, prefix: str) -> KeyRange:
        """Every key that starts with `prefix`."""
        start = self.stored(prefix)
        return KeyRange(start or _NO_END, _after(start))

    def key_value(self, kept: WireKeyValue) -> KeyValue:
        """A key of etcd as one of ours."""
        return KeyValue(
            key=self.key(kept.key),
            value=kept.value,
            create_revision=kept.create_revision,
            mod_revision=kept.mod_revision,
            version=kept.version,
            lease_id=kept.lease,
        )

    def key(self, stored: bytes) -> str:
        """Our name of a key of etcd."""
        # Strangers may write what is no text below our prefix; that must not end a mirror.
        return stored.decode(errors="surrogateescape")[len(self.prefix) :]


def _after(prefix: bytes) -> bytes:
    """The first key after all that start with `prefix`."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else _NO_END
