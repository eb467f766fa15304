"""`flyte run python-script SCRIPT`: a script that knows nothing of Flyte, as a run of one task.

The script and what it needs beside it are copied to a folder of their own, together with a small module that defines
the task; that folder is the code bundle, so that `flyte get code` shows exactly what ran.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import rich_click as click

from flyte.cli.options import root_options
from flyte.cli.peer_options import refused_option
from flyte.cli.run_options import RunOptions, run_options

NAME: Final = "python-script"
_MODULE: Final = "flyte_python_script"
_TASK: Final = "script"
_ONE_PROCESS: Final = "A script runs as one process in one pod; write a task that starts several, and use `flyte run`."
_REFUSED: Final = (
    ("--clustered", True),
    ("--replicas", False),
    ("--nproc-per-node", False),
    ("--rdzv-backend", False),
    ("--torchrun-max-restarts", False),
    ("--cluster-max-restarts", False),
    ("--restart-on-host-maintenance", True),
    ("--ttl-seconds-after-finished", False),
)


_SETTLED: Final = frozenset({"--copy-style", "--root-dir", "--no-sync-local-sys-paths"})
"""Options of `run` about code that is the user's own module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptTask:
    """What the task of a script is to be."""

    script: Path
    cpu: int
    memory: str
    gpu: int | None
    gpu_type: str
    image: str | None
    packages: tuple[str, ...]
    timeout: int
    arguments: tuple[str, ...]
    output_dir: str | None
    include_files: tuple[str, ...]

    def module(self) -> str:
        """Return the text of the module that defines the task."""
        accelerator = f"{self.gpu_type}:{self.gpu}" if self.gpu else None
        kind = "flyte.io.Dir" if self.output_dir is not None else "None"
        call = f"run_script(Path(__file__).parent / {self.script.name!r}, arguments, output_dir={self.output_dir!r})"
        return "\n".join(
            (
                f'"""Made by `flyte run {NAME}`: runs {self.script.name} as a task."""',
                "from pathlib import Path",
                "",
                "import flyte",
                "import flyte.io",
                "from flyte.extras.scripts import run_script",
                "",
                "env = flyte.TaskEnvironment(",
                f"    name={NAME!r},",
                f"    image={self._image()},",
                f"    resources=flyte.Resources(cpu={self.cpu}, memory={self.memory!r}, gpu={accelerator!r}),",
                ")",
                "",
                "",
                f"@env.task(timeout={self.timeout})",
                f"async def {_TASK}(arguments: list[str]) -> {kind}:",
                f"    return await {call}",
                "",
            )
        )

    def _image(self) -> str:
        if self.image is not None:
            return repr(self.image)
        if not self.packages:
            return repr("auto")
        return f"flyte.Image.from_debian_base().with_pip_packages({', '.join(map(repr, self.packages))})"

    def write(self, folder: Path) -> Path:
        """Copy the script and what goes with it to a folder, and return the module there that defines the task."""
        home = self.script.parent
        for file in (self.script, *included(home, self.include_files)):
            copy = folder / file.relative_to(home)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
        module = folder / f"{_MODULE}.py"
        module.write_text(self.module())
        return module


def included(home: Path, patterns: Sequence[str]) -> Iterator[Path]:
    """Yield the files below a folder that patterns name; a folder stands for all that is in it.

    Raises BadParameter for a pattern that leads out of the folder, or that nothing fits.
    """
    for pattern in patterns:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise click.BadParameter(
                f"{pattern!r} leads out of {home}. Only what lies beside the script or below can be included.",
                param_hint="--include-files",
            )
        found = sorted(home.glob(pattern))
        if not found:
            raise click.BadParameter(f"nothing in {home} fits {pattern!r}", param_hint="--include-files")
        for path in found:
            yield from (one for one in sorted(path.rglob("*")) if one.is_file()) if path.is_dir() else (path,)


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip()) if text else ()


class ScriptCommand(click.RichCommand):
    """The command, which takes the options of `run` as well, but for its own --image."""

    def __init__(self) -> None:
        from flyte.cli.inputs import names_of

        own = [make() for make in _OWN]
        taken = names_of([one for one in own if isinstance(one, click.Option)]) | _SETTLED
        shared = [option for option in run_options() if not names_of([option]) & taken]
        help = "Run the Python script SCRIPT, which need not know Flyte, as a run of one task."
        super().__init__(name=NAME, help=help, params=[*own, *shared])

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, follow it and exit with its code."""
        ctx.exit(_run(_task_of(ctx.params), RunOptions.collect(ctx), ctx))


def _task_of(given: dict[str, Any]) -> ScriptTask:
    if given["script_image"] is not None and given["packages"]:
        raise click.UsageError("--image is taken as it is, so that --packages cannot be added: give one of them.")
    script = given["script"].resolve()
    if script.suffix != ".py":
        raise click.ClickException(f"{given['script']} is no Python file.")
    return ScriptTask(
        script=script,
        cpu=given["cpu"],
        memory=given["memory"],
        gpu=given["gpu"],
        gpu_type=given["gpu_type"],
        image=given["script_image"],
        packages=_words(given["packages"]),
        timeout=given["timeout"],
        arguments=_words(given["extra_args"]),
        output_dir=given["output_dir"],
        include_files=given["include_files"],
    )


def _run(task: ScriptTask, options: RunOptions, ctx: click.Context) -> int:
    from dataclasses import replace

    from flyte.cli.running import run_task
    from flyte.cli.user_file import load_user_file

    root = root_options(ctx)
    with TemporaryDirectory(prefix="flyte-script-") as scratch:
        folder = Path(scratch).resolve()
        module = task.write(folder)
        root.choose_platform(project=options.project, domain=options.domain, root_dir=folder)
        file = load_user_file(module, root_dir=folder)
        inputs = {"arguments": list(task.arguments)}
        return run_task(file.task(_TASK), inputs, replace(options, copy_style="all"), root=root)


def _option(*spellings: str, help: str, **more: Any) -> Any:
    return lambda: click.RichOption([*spellings], help=help, show_default="default" in more, **more)


_OWN: Final = (
    lambda: click.RichArgument(["script"], type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    _option("--cpu", type=click.IntRange(1), default=1, help="CPUs to request."),
    _option("--memory", default="2Gi", help="Memory to request, for example 16Gi."),
    _option("--gpu", type=click.IntRange(1), help="GPUs to request."),
    _option("--gpu-type", default="T4", help="Kind of GPU: T4, L4, A100, H100 and others."),
    _option("--image", "script_image", metavar="URI", help="Container image. Not together with --packages."),
    _option("--packages", help="Packages to install, with commas between: 'torch,transformers'."),
    _option("--timeout", type=click.IntRange(1), default=3600, help="Seconds that an attempt may take."),
    _option("--extra-args", help="Arguments of the script, with commas between."),
    _option("--output-dir", metavar="FOLDER", help="Folder that the script leaves as its output, relative to it."),
    _option(
        "--include-files",
        multiple=True,
        metavar="GLOB",
        help="Files and folders beside the script that it needs. Repeatable.",
    ),
    lambda: refused_option("--plugin-config", is_flag=False, instead=_ONE_PROCESS),
    *(lambda name=name, flag=flag: refused_option(name, is_flag=flag, instead=_ONE_PROCESS) for name, flag in _REFUSED),
)
