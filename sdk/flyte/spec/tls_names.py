"""Names that certificates bear for what their holder is, wherever it runs: addresses in a cluster change often."""

from __future__ import annotations

from typing import Final

WORKERS_NAME: Final = "flyteplane-workers"
"""Of a listener that workers connect to."""
