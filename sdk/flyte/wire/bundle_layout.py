"""What lies in a code bundle beside the user's files: agreed between the packing side and the importing worker."""

from __future__ import annotations

from typing import Final

IMPORT_FOLDERS_ENTRY: Final = ".flyte/import_folders"
"""Entry that names, one a line, folders below the bundle's root that belong on the module path as well."""
