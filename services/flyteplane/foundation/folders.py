"""What a crash of the machine leaves of a folder: its entries, once the folder itself is flushed."""

import os
from pathlib import Path


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable: new files, and those that were renamed or removed. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
