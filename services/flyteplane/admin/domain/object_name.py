"""Where uploaded objects lie.

Objects are named by their content, so that uploading twice changes nothing and nobody can replace what others use:

    bundles/<sha256>.tar.gz                     code bundles
    inputs/<project>/<domain>/<sha256>/<name>   files given as inputs
    uploads/<project>/<domain>/<sha256>/<id>    what clients have put and nobody has checked yet
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from flyteplane.foundation.errors import InvalidArgument

MIB: Final = 1 << 20
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_UPLOAD_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
_LONGEST_FILENAME: Final = 120


class UploadKind(Enum):
    """What kind of object, with the most bytes that one may have."""

    CODE_BUNDLE = 512 * MIB
    INPUT_FILE = 5 * 1024 * MIB

    @property
    def most_bytes(self) -> int:
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An object of known content that somebody wants to store."""

    project: str
    domain: str
    kind: UploadKind
    sha256: bytes
    size_bytes: int
    filename: str = ""

    def __post_init__(self) -> None:
        if len(self.sha256) != 32:
            raise InvalidArgument(
                "a SHA-256 has 32 bytes", reason="OBJECT_DIGEST", field="sha256", mend="Send the digest of the content."
            )
        if self.size_bytes > self.kind.most_bytes:
            raise InvalidArgument(
                f"the object has {self.size_bytes} bytes",
                reason="OBJECT_TOO_LARGE",
                field="size_bytes",
                limit=f"{self.kind.most_bytes // MIB} MiB",
                mend="Leave files out of the bundle, or keep large data in an object store of your own.",
            )

    @property
    def key(self) -> str:
        """The object's key in the store."""
        if self.kind is UploadKind.CODE_BUNDLE:
            return bundle_key(self.sha256.hex())
        last = self.filename.replace("\\", "/").rpartition("/")[2]
        name = _UNSAFE.sub("_", last).strip(".")[-_LONGEST_FILENAME:] or "file"
        return f"inputs/{self.project}/{self.domain}/{self.sha256.hex()}/{name}"

    def unchecked_key(self, upload_id: str) -> str:
        """Where a client puts the object before it is checked. Raises InvalidArgument for what is no id."""
        if _UPLOAD_ID.fullmatch(upload_id) is None:
            raise InvalidArgument(
                "this is no id of an upload", field="upload_id", mend="Send the `upload_id` of CreateUploadUrl."
            )
        return f"uploads/{self.project}/{self.domain}/{self.sha256.hex()}/{upload_id}"


def bundle_key(digest: str) -> str:
    """The key of a code bundle. `digest` is its SHA-256 in hex."""
    return f"bundles/{digest}.tar.gz"
