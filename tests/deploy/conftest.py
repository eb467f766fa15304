"""What the overlays of deploy/kubernetes render to, as kubectl would apply it."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml
from tests.deploy.manifests import Manifests

KUBERNETES = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"


@cache
def render(overlay: str) -> Manifests:
    """The objects of an overlay; skips the test without kubectl."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    folder = KUBERNETES / "overlays" / overlay
    rendered = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    assert rendered.returncode == 0, rendered.stderr
    return Manifests(list(yaml.safe_load_all(rendered.stdout)))


@pytest.fixture(params=["dev", "production", "test"])
def overlay(request: pytest.FixtureRequest) -> Manifests:
    """Every overlay in turn."""
    return render(request.param)


@pytest.fixture
def production() -> Manifests:
    """The overlay for real installations."""
    return render("production")
