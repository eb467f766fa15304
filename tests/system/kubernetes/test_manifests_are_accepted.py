"""The API server itself accepts what operators apply: every object, by a dry run that stores nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
from tests.deploy.conftest import render

#: What an API server older than the overlay is for knows by another version.
FORMER = {"policy/v1": "policy/v1beta1"}


def knows(group: str) -> bool:
    shown = subprocess.run(["kubectl", "api-versions"], capture_output=True, text=True, check=True, timeout=60)
    return group in shown.stdout.split()


def placed(one: Mapping[str, Any], *, older: bool) -> dict[str, Any]:
    """An object as this server can judge it: in a namespace that is there, in a version that it knows."""
    metadata = dict(one["metadata"])
    if "namespace" in metadata:
        metadata["namespace"] = "default"
    version = str(one["apiVersion"])
    return {**one, "apiVersion": FORMER.get(version, version) if older else version, "metadata": metadata}


@pytest.mark.parametrize("name", ["dev", "production"])
def test_every_object_is_accepted(name: str) -> None:
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    manifests, older = render(name), not knows("policy/v1")
    items = [placed(one, older=older) for one in manifests.objects]
    command = ["kubectl", "apply", "--dry-run=server", "--validate=true", "--filename=-"]
    asked = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(server dry run)") == len(items)
