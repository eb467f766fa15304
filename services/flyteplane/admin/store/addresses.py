"""How objects are spoken of outside of the store."""

from pathlib import Path
from typing import Final

from flyteplane.foundation.errors import InvalidArgument, NotFound
from flyteplane.objects import FolderObjectStore, Presigner, validate_key

_FILE: Final = "file://"
_PLATFORM: Final = "flyte-object://"


class FolderAddresses:
    """Objects of a folder that the clients can reach too, because they run on this machine as the same user.

    Such a client puts an object by writing a temporary file beside its place and renaming it.
    """

    def __init__(self, store: FolderObjectStore) -> None:
        self._store = store
        self._prefix = f"{_FILE}{store.root}/"

    @property
    def root(self) -> str:
        return self._prefix

    @property
    def takes_unchecked(self) -> bool:
        return False

    def uri_of(self, key: str) -> str:
        return f"{_FILE}{self._store.path_of(key)}"

    def key_of(self, uri: str) -> str:
        return _key_below(uri, prefix=self._prefix)

    async def upload_url(self, key: str, *, expires_in_s: float) -> str:
        path = Path(self._store.path_of(key))
        path.parent.mkdir(parents=True, exist_ok=True)
        # A URL, other than a URI, is quoted: a file of a folder may be called "1 #2.txt".
        return path.as_uri()

    async def download_url(self, key: str, *, expires_in_s: float) -> str:
        return Path(self._store.path_of(key)).as_uri()


class PlatformAddresses:
    """Objects that only the platform can reach: everything goes through it."""

    @property
    def root(self) -> str:
        return _PLATFORM

    @property
    def takes_unchecked(self) -> bool:
        return False

    def uri_of(self, key: str) -> str:
        return f"{_PLATFORM}{key}"

    def key_of(self, uri: str) -> str:
        return _key_below(uri, prefix=_PLATFORM)

    async def upload_url(self, key: str, *, expires_in_s: float) -> str:
        return ""

    async def download_url(self, key: str, *, expires_in_s: float) -> str:
        return ""


class SignedAddresses:
    """Objects of a store that clients reach by signed URLs, if their network lets them.

    Args:
        root: what the URIs of all objects begin with; ends in "/".
    """

    def __init__(self, store: Presigner, *, root: str) -> None:
        self._store = store
        self._root = root

    @property
    def root(self) -> str:
        return self._root

    @property
    def takes_unchecked(self) -> bool:
        return True

    def uri_of(self, key: str) -> str:
        return f"{self._root}{key}"

    def key_of(self, uri: str) -> str:
        return _key_below(uri, prefix=self._root)

    async def upload_url(self, key: str, *, expires_in_s: float) -> str:
        return await self._store.presign_put(key, expires_in_s=expires_in_s)

    async def download_url(self, key: str, *, expires_in_s: float) -> str:
        return await self._store.presign_get(key, expires_in_s=expires_in_s)


def _key_below(uri: str, *, prefix: str) -> str:
    try:
        if uri.startswith(prefix):
            return validate_key(uri.removeprefix(prefix))
    except InvalidArgument:
        # Said in the same words as for any other URI: what lies outside of the store is nobody's business.
        pass
    raise NotFound(f"{uri!r} is not an object of this platform", reason="OBJECT_NOT_FOUND", field="uri")
