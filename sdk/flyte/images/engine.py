"""Builds images: each once, several at a time, whole or not at all.

A tool gives an image its name when all of it is there, and the name has the digest of everything that decides what is
in it. So a build that is killed leaves nothing behind that could be taken for the image, and what was built before is
not built again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from flyte.errors import ImageBuildError
from flyte.images.builders import BuildTool, Command, Job, choose_tool
from flyte.images.context import write_context, write_secret
from flyte.images.recipe import CodeFiles, Recipe, recipe_of
from flyte.spec.image import Image
from flyte.spec.image_layers import CodeBundleFiles, LocalSdk
from flyte.spec.secrets import Secret

_AT_A_TIME: Final = 2
_LINES_SHOWN: Final = 40


async def build_here(
    images: Iterable[Image], *, tool: str = "local", force: bool = False, code_files: CodeFiles
) -> None:
    """Build those images that need it with a tool of this machine, and push those that name a registry.

    - `force`: also build what was built before.

    Raises ImageBuildError, with the end of what the tool said, and FileNotFoundError.
    """
    to_build = {image.uri: image for image in images if image.needs_build}
    if not to_build:
        return
    engine = _Engine(choose_tool(tool), force=force, code_files=code_files)
    builds = [asyncio.ensure_future(engine.build(image, uri)) for uri, image in to_build.items()]
    try:
        await asyncio.gather(*builds)
    finally:
        # The first failure ends the others.
        for build in builds:
            build.cancel()
        await asyncio.gather(*builds, return_exceptions=True)


async def is_built_here(image: Image, *, tool: str = "local") -> bool:
    """Tell whether a tool of this machine has built an image. Raises ImageBuildError if there is no such tool."""
    return await _is_there(choose_tool(tool), image.uri)


class _Engine:
    def __init__(self, tool: BuildTool, *, force: bool, code_files: CodeFiles) -> None:
        self._tool = tool
        self._force = force
        self._code_files = code_files
        self._room = asyncio.Semaphore(_AT_A_TIME)

    async def build(self, image: Image, uri: str) -> None:
        """Build one image, unless it is there."""
        if image.registry_secret is not None:
            raise ImageBuildError(
                f"Image {uri} names a registry_secret, which builds on this machine do not use. Leave it out and log "
                f"in: {self._tool.name} login {image.registry or ''}".rstrip()
            )
        async with self._room:
            if not (self._force or _may_have_changed(image) or image.registry) and await _is_there(self._tool, uri):
                return
            _say(f"building {uri} with {self._tool.name}")
            with tempfile.TemporaryDirectory(prefix="flyte-image-") as folder:
                for command in self._tool.build(self._job(image, uri, Path(folder))):
                    await _carry_out(command, uri)
            _say(f"built {uri}")

    def _job(self, image: Image, uri: str, folder: Path) -> Job:
        if image.dockerfile is not None:
            file, context, recipe = image.dockerfile, image.dockerfile.parent, Recipe(text="")
        else:
            recipe = recipe_of(image, code_files=self._code_files)
            context = folder / "context"
            context.mkdir()
            file = write_context(recipe, context)
        secrets = [(name, write_secret(folder, name, _value_of(secret))) for name, secret in recipe.secrets]
        return Job(
            uri=uri,
            file=file,
            context=context,
            platforms=image.platform,
            secrets=tuple(secrets),
            push=image.registry is not None,
        )


async def _is_there(tool: BuildTool, uri: str) -> bool:
    process = await asyncio.create_subprocess_exec(
        *tool.is_there(uri), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait() == 0


def _may_have_changed(image: Image) -> bool:
    """Whether the name of the image does not tell everything that is in it."""
    return image.dockerfile is not None or any(isinstance(one, CodeBundleFiles | LocalSdk) for one in image.layers)


def _value_of(secret: Secret) -> bytes:
    """The value on this machine, as for local runs. Raises RuntimeUserError."""
    from flyte.local.secrets import LocalSecrets, default_secrets_path

    return LocalSecrets(default_secrets_path()).resolve([secret], project="", domain="")[secret]


async def _carry_out(command: Command, uri: str) -> None:
    # A group of its own, so that what the tool starts ends with it.
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    last: deque[str] = deque(maxlen=_LINES_SHOWN)
    try:
        async for line in process.stdout:
            last.append(line.decode(errors="replace").rstrip())
            _show(last[-1])
        code = await process.wait()
    except BaseException:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        raise
    if code:
        raise ImageBuildError(_failure(uri, command, code, list(last)))


def _failure(uri: str, command: Command, code: int, last: Sequence[str]) -> str:
    said = "\n".join(last) or "(it said nothing)"
    return f"Image {uri} could not be built: {' '.join(command[:2])} ended with code {code}. It said last:\n{said}"


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)


def _show(line: str) -> None:
    if sys.stderr.isatty():
        print(f"  {line}", file=sys.stderr, flush=True)
