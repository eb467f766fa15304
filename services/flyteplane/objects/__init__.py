"""Objects by key: code bundles, large values, files, logs and reports.

Objects are written whole, appear at once and are replaced as a whole; there is no renaming.
"""

from flyteplane.objects.folder import FolderObjectStore
from flyteplane.objects.keys import validate_key
from flyteplane.objects.memory import MemoryObjectStore
from flyteplane.objects.port import ObjectInfo, ObjectPage, ObjectStore, Presigner
from flyteplane.objects.removal import remove_below

__all__ = [
    "FolderObjectStore",
    "MemoryObjectStore",
    "ObjectInfo",
    "ObjectPage",
    "ObjectStore",
    "Presigner",
    "remove_below",
    "validate_key",
]
