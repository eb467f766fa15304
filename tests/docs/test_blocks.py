"""Blocks of pages work as they stand: Python runs, files of operators are taken."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.docs.pages import ROOT, Block, all_blocks, blocks

from flyteplane.launcher.operator_file import OperatorFile
from flyteplane.launcher.operator_schema import File

EXAMPLES = [path.read_text() for path in sorted((ROOT / "examples").glob("*.py"))]
NAMED_FILE = re.compile(r"(?:_file|kubeconfig): \"?([\w.~/-]+)")


@pytest.mark.parametrize("block", all_blocks("python"), ids=str)
def test_python_of_a_page_runs(block: Block, tmp_path: Path) -> None:
    """Without a platform, runs are carried out in the process. Parts of an example are tested with it."""
    if any(all(part.strip() in example for part in block.text.split("\n\n\n")) for example in EXAMPLES):
        return
    (tmp_path / "hello.py").write_text(next(blocks(ROOT / "README.md")).text)
    (tmp_path / "block.py").write_text(block.text)
    alone = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    ran = subprocess.run([sys.executable, "block.py"], cwd=tmp_path, env=alone, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("block", all_blocks("yaml"), ids=str)
def test_the_operators_files_of_a_page_are_taken(block: Block, tmp_path: Path) -> None:
    content = yaml.safe_load(block.text)
    if not content.keys() <= File.model_fields.keys():
        assert block.page.name == "configuration.md"
        return
    text = block.text.replace("~/", "home/")
    for name in NAMED_FILE.findall(text):
        if not name.startswith("/"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("https://chat.example/hook")
    file = tmp_path / "flyteplane.yaml"
    file.write_text(text)
    OperatorFile.read(file)
