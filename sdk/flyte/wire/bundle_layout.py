"""What lies in a code bundle beside the user's files: agreed between the side that packs it and the worker that imports from it."""

from __future__ import annotations

from typing import Final

IMPORT_FOLDERS_ENTRY: Final = ".flyte/import_folders"
"""Entry that names, one a line, folders below the bundle's root that belong on the module path as well."""
