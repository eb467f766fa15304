"""What local processes cannot carry out is refused, naming the field and the mend."""

from pathlib import Path

import pytest
from tests.scheduler.harness import task

from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.cluster.process_fitness import process_fitness
from flyteplane.cluster.system_packages import SystemPackages
from flyteplane.foundation.errors import InvalidArgument


def _with_gpu(spec: TaskSpec) -> None:
    spec.resources.accelerator.device_class, spec.resources.accelerator.quantity = "GPU", 1


def _with_template(spec: TaskSpec) -> None:
    spec.pod_template.name = "large"


def _with_account(spec: TaskSpec) -> None:
    spec.service_account = "robot"


def _with_steps(spec: TaskSpec) -> None:
    spec.image.container_steps.append("with_commands")


def _with_target(spec: TaskSpec) -> None:
    spec.image.python_installs.add(packages=["six"], options=["--no-deps", "--targ=/opt/elsewhere"])


def _with_packages(spec: TaskSpec) -> None:
    spec.image.system_packages.append("curl")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (_with_gpu, "resources.gpu"),
        (_with_template, "pod_template"),
        (_with_account, "service_account"),
        (_with_packages, "image"),
        (_with_steps, "image"),
        (_with_target, "image"),
    ],
)
def test_a_task_that_processes_cannot_carry_out_is_refused(change: object, field: str) -> None:
    spec = task()
    assert callable(change)
    change(spec)
    with pytest.raises(InvalidArgument) as refused:
        process_fitness(spec)
    assert refused.value.field == field
    assert refused.value.mend


def test_a_plain_task_is_carried_out() -> None:
    process_fitness(task())


def test_options_of_pip_that_an_environment_can_keep_are_taken() -> None:
    spec = task()
    options = ["--index-url", "https://example.com", "--pre", "--prefer-binary", "--no-deps", "--require-hashes"]
    spec.image.python_installs.add(packages=["six"], options=options)
    process_fitness(spec)


def test_a_refusal_of_steps_says_which_they_are_and_what_to_do() -> None:
    spec = task()
    spec.image.uri = "mine:1"
    spec.image.container_steps.extend(["from_dockerfile", "with_pip_packages with secret_mounts"])
    with pytest.raises(InvalidArgument, match="from_dockerfile, with_pip_packages with secret_mounts") as refused:
        process_fitness(spec)
    assert "cluster of pods" in refused.value.mend


STATUS = """Package: git
Status: install ok installed
Version: 1:2.39.5-0+deb12u2
Description: version control
 Depends: on nothing

Package: vim
Status: deinstall ok config-files
Version: 2:9.0

Package: libc6
Status: install ok installed
Multi-Arch: same
Version: 2.36
"""


def test_system_packages_are_taken_that_the_machine_has_already(tmp_path: Path) -> None:
    machine = SystemPackages(tmp_path / "status")
    assert machine.missing(["git"]) == ["git"]
    (tmp_path / "status").write_text(STATUS)
    assert machine.missing(["git", "vim", "libc6:amd64", "libc6=2.36", "git=1:1.0"]) == ["vim", "git=1:1.0"]
    spec = task()
    spec.image.system_packages.append("git")
    process_fitness(spec, missing_packages=machine.missing)
    spec.image.system_packages.append("vim")
    with pytest.raises(InvalidArgument, match=r"cannot install system packages: vim\."):
        process_fitness(spec, missing_packages=machine.missing)
