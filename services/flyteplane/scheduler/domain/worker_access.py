"""Which objects an attempt may read and write. Everything that is not named here is refused.

Keys of the store, and who may do what with them:

    data/<project>/<domain>/...                             read: attempts of this project and domain
    data/<project>/<domain>/<run>/<action>/<attempt>/...    write: this very attempt
    data/<project>/<domain>/<run>/named/...                 write: attempts of this run (files that have a fixed name)
    inputs/<project>/<domain>/...                           read: attempts of this project and domain
    bundles/<sha256>.tar.gz                                 read: whoever knows the digest
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from flyteplane.foundation.errors import InvalidArgument, PermissionDenied
from flyteplane.objects.keys import validate_key

DATA: Final = "data/"
INPUTS: Final = "inputs/"
_NAMED: Final = "named"
_FILE: Final = "file://"
#: How the platform itself names objects of a store that only it can reach.
_BY_KEY: Final = "flyte-object://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """An attempt, as its token names it."""

    project: str
    domain: str
    run: str
    action: str
    attempt: int
    lease: int = 0

    @property
    def _readable(self) -> tuple[str, ...]:
        place = f"{self.project}/{self.domain}/"
        return (f"{DATA}{place}", f"{INPUTS}{place}")

    @property
    def _writable(self) -> tuple[str, ...]:
        run = f"{DATA}{self.project}/{self.domain}/{self.run}/"
        return (f"{run}{self.action}/{self.attempt}/", f"{run}{_NAMED}/")

    def refuse_reading(self, key: str) -> None:
        """Raises PermissionDenied for what this attempt may not read."""
        if not key.startswith(self._readable):
            raise _denied("read", "data of its own project and domain")

    def refuse_writing(self, key: str) -> None:
        """Raises PermissionDenied for what this attempt may not write."""
        if not key.startswith(self._writable):
            raise _denied("write", "below the prefix of its own attempt")


class WorkerAddresses:
    """Between addresses as workers say them and keys of the store.

    Args:
        data_prefix: under which attempts keep their data, for workers; ends in "/data/".
    """

    def __init__(self, data_prefix: str) -> None:
        if not data_prefix.endswith(f"/{DATA}"):
            raise ValueError(f"a data prefix ends in '/{DATA}', unlike {data_prefix!r}")
        self._root = data_prefix.removesuffix(DATA)

    def key_of(self, uri: str) -> str:
        """The key of an object. Raises PermissionDenied for whatever is no object of this store."""
        return validated(self._text_below_root(uri))

    def prefix_of(self, uri: str) -> str:
        """The beginning of the keys below a prefix, or the key of the one object that is named. Raises as `key_of`."""
        text = self._text_below_root(uri)
        return f"{validated(text.removesuffix('/'))}/" if text.endswith("/") else validated(text)

    def uri_of(self, key: str, *, like: str) -> str:
        """The address of a key, in the form of another address."""
        if like.startswith(_BY_KEY):
            return f"{_BY_KEY}{key}"
        return f"{self._root}{quote(key) if self._root.startswith(_FILE) else key}"

    def _text_below_root(self, uri: str) -> str:
        if uri.startswith(_BY_KEY):
            return uri.removeprefix(_BY_KEY)
        if not uri.startswith(self._root):
            raise _denied("reach", "the platform's own objects here")
        rest = uri.removeprefix(self._root)
        # Only file:// addresses are quoted; whatever quoting hides is looked at below as it will be used.
        return unquote(rest) if self._root.startswith(_FILE) else rest


def validated(text: str) -> str:
    """The text if it is a proper key. Raises PermissionDenied for one that leads elsewhere."""
    try:
        return validate_key(text)
    except InvalidArgument:
        raise _denied("reach", "proper addresses of the platform's own objects") from None


def _denied(what: str, allowed: str) -> PermissionDenied:
    # The address is not repeated: what is there is nobody's business.
    return PermissionDenied(f"this attempt may not {what} that address", reason="WORKER_DATA", mend=f"Use {allowed}.")
