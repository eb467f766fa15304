#!/usr/bin/env python3
"""Makes the build context of the stores that tests in a cluster use.

python -m tests.images.stores.build_context DIR
"""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.images.build_context import make_context

if __name__ == "__main__":
    make_context(
        Path(sys.argv[1]),
        dockerfile=Path(__file__).with_name("Dockerfile"),
        requirements=["moto[server]"],
        with_project=False,
    )
