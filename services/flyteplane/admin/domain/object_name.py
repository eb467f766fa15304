"""Where uploaded objects lie.

Objects are named by their content, so that uploading twice changes nothing and nobody can replace what others use:

    bundles/<sha256>.tar.gz                     code bundles
    inputs/<project>/<domain>/<sha256>/<name>   files given as inputs
    uploads/<project>/<domain>/<sha256>/<id>    what clients have put and nobody has checked yet

Files of a folder keep their paths, so the folder has a name that nobody else knows before it is used:

    inputs/<project>/<domain>/folders/<id>/<path>
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.objects.keys import UPLOADS, validate_key

MIB: Final = 1 << 20
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_UPLOAD_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
_FOLDER_ID: Final = re.compile(r"[A-Za-z0-9_-]{22,64}")
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
    folder: str = ""
    """Id of the folder that the file is one of; `filename` is then its path in there. Empty: it stands by itself."""

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

        if self.folder:
            self._refuse_place_in_folder()

    def _refuse_place_in_folder(self) -> None:
        if self.kind is not UploadKind.INPUT_FILE or _FOLDER_ID.fullmatch(self.folder) is None:
            raise InvalidArgument(
                "this is no id of a folder of inputs",
                reason="OBJECT_FOLDER",
                field="folder",
                limit="22 to 64 characters of A-Z, a-z, 0-9, _ and -",
                mend="Make one up at random for each folder.",
            )
        try:
            validate_key(self.filename)
            validate_key(self.key)
        except InvalidArgument as error:
            raise InvalidArgument(
                f"{self.filename!r} cannot be a path in a folder: {error.message}",
                reason="OBJECT_PATH",
                field="filename",
                mend="Rename the file, or leave it out.",
            ) from None

    @property
    def folder_key(self) -> str:
        """What the keys of all files of the folder begin with, without the slash; empty for a file by itself."""
        return f"inputs/{self.project}/{self.domain}/folders/{self.folder}" if self.folder else ""

    @property
    def key(self) -> str:
        """The object's key in the store."""
        if self.kind is UploadKind.CODE_BUNDLE:
            return bundle_key(self.sha256.hex())
        if self.folder:
            return f"{self.folder_key}/{self.filename}"
        last = self.filename.replace("\\", "/").rpartition("/")[2]
        name = _UNSAFE.sub("_", last).strip(".")[-_LONGEST_FILENAME:] or "file"
        return f"inputs/{self.project}/{self.domain}/{self.sha256.hex()}/{name}"

    def unchecked_key(self, upload_id: str) -> str:
        """Where a client puts the object before it is checked. Raises InvalidArgument for what is no id."""
        if _UPLOAD_ID.fullmatch(upload_id) is None:
            raise InvalidArgument(
                "this is no id of an upload", field="upload_id", mend="Send the `upload_id` of CreateUploadUrl."
            )
        return f"{UPLOADS}{self.project}/{self.domain}/{self.sha256.hex()}/{upload_id}"


def bundle_key(digest: str) -> str:
    """The key of a code bundle. `digest` is its SHA-256 in hex."""
    return f"bundles/{digest}.tar.gz"
