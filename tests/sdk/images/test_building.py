"""Images built by tools: which one, with what, once, whole or not at all. And by a real buildah, where there is one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import flyte
from flyte.client.init import set_settings
from flyte.client.settings import ClientSettings
from flyte.errors import ImageBuildError
from flyte.images.builders import Buildah, DockerBuildx, Job, choose_tool
from flyte.spec.image import Image

#: Keeps a book of how it was called, and images by name.
FAKE = """#!/bin/sh
echo "$@" >> "$BOOK"
case "$1" in
  --version) exit 0 ;;
  inspect) grep -qx "$2" "$BOOK.images" 2>/dev/null ;;
  build)
    shift; for word; do [ "$last" = --tag ] && tag=$word; last=$word; done
    cp "$last/Containerfile" "$BOOK.file" 2>/dev/null
    cat "$BOOK.secret" >/dev/null 2>&1
    if grep -q explode "$last/Containerfile"; then echo "step 2: no such thing"; exit 3; fi
    if grep -q dawdle "$last/Containerfile"; then echo "$$" > "$BOOK.pid"; exec sleep 600; fi
    echo "$tag" >> "$BOOK.images" ;;
  push) exit 0 ;;
esac
"""


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fake buildah, the only tool there is; the path of its book."""
    tools = tmp_path / "tools"
    tools.mkdir()
    tool = tools / "buildah"
    tool.write_text(FAKE)
    tool.chmod(0o755)
    shell = {name: shutil.which(name) or "" for name in ("sh", "grep", "cp", "cat", "sleep", "echo")}
    for name, real in shell.items():
        (tools / name).symlink_to(real)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "book"
    monkeypatch.setenv("BOOK", str(path))
    yield path
    set_settings(None)


def builds(book: Path) -> list[str]:
    """The builds that the tool was asked for."""
    return [line for line in book.read_text().splitlines() if line.startswith("build ")]


def image(*commands: str, registry: str | None = None) -> Image:
    """An image that needs a build."""
    start = Image.from_base("python:3.11-slim").clone(name="mine", registry=registry, extendable=True)
    return start.with_commands(list(commands))


def test_an_image_is_built_once_under_its_digest(book: Path) -> None:
    built = flyte.build(image("make"))
    assert built.uri == image("make").uri
    flyte.build(image("make"))
    assert len(builds(book)) == 1
    assert f"--tag {built.uri}" in builds(book)[0]
    flyte.build(image("make"), force=True)
    assert len(builds(book)) == 2
    assert "RUN make" in Path(f"{book}.file").read_text()


async def test_an_extension_builds_with_a_tool_by_name_and_asks_what_is_there(book: Path) -> None:
    engine, wanted = flyte.extend.ImageBuildEngine, image("make")
    assert await engine.image_exists(wanted) is None
    assert await engine.image_exists(Image.from_base("python:3.11-slim")) == "python:3.11-slim"
    assert (await engine.build(wanted, builder="local-podman")).uri == wanted.uri
    assert await engine.image_exists(wanted) == wanted.uri
    with pytest.raises(ImageBuildError, match="docker does not work here"):
        await engine.build(wanted, builder="docker", force=True)


def test_an_image_that_is_a_base_needs_no_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert flyte.build(Image.from_base("python:3.11-slim")).uri == "python:3.11-slim"
    assert flyte.build(image("make"), dry_run=True).uri == image("make").uri
    with pytest.raises(TypeError, match="Expected image to be of type Image, got <class 'str'>"):
        flyte.build("python:3.11-slim")  # type: ignore[arg-type]  # what is refused
    with pytest.raises(TypeError, match="Expected Environment, got <class 'str'>"):
        flyte.build_images("one")  # type: ignore[arg-type]  # what is refused


def test_without_a_tool_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ImageBuildError, match="docker or buildah is needed"):
        flyte.build(image("make"))
    with pytest.raises(ImageBuildError, match="no image builder 'remote'"):
        choose_tool("remote")


def test_a_failed_build_shows_what_the_tool_said_and_is_tried_again(book: Path) -> None:
    for _ in range(2):
        with pytest.raises(ImageBuildError, match=r"ended with code 3\. It said last:\nstep 2: no such thing"):
            flyte.build(image("explode"))
    assert len(builds(book)) == 2


def test_an_image_with_a_registry_is_pushed_there(book: Path) -> None:
    uri = flyte.build(image("make", registry="registry.example/team")).uri
    assert book.read_text().splitlines()[-1] == f"push {uri} docker://{uri}"


def test_images_of_environments_are_built_each_once(book: Path) -> None:
    same = flyte.TaskEnvironment("same", image=image("make"))
    also = flyte.TaskEnvironment("also", image=image("make"), depends_on=[same])
    other = flyte.TaskEnvironment("other", image=image("other"))
    plain = flyte.TaskEnvironment("plain", image="python:3.11")
    assert flyte.build_images(also, other, plain) == {
        "same": image("make").uri,
        "also": image("make").uri,
        "other": image("other").uri,
        "plain": "python:3.11",
    }
    assert len(builds(book)) == 2


def test_a_copy_style_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="copy_style must be"):
        flyte.build_images(flyte.TaskEnvironment("styled"), copy_style="some")  # type: ignore[arg-type]  # the point


def test_a_secret_reaches_the_tool_as_a_private_file_and_is_gone_after(book: Path) -> None:
    os.environ["GIT_TOKEN"] = "hidden"
    try:
        start = Image.from_base("python:3.11-slim").clone(name="mine", extendable=True)
        flyte.build(start.with_pip_packages("mine", secret_mounts=flyte.Secret("token", as_env_var="GIT_TOKEN")))
    finally:
        del os.environ["GIT_TOKEN"]
    (call,) = builds(book)
    path = Path(call.partition("id=token,src=")[2].split()[0])
    assert "hidden" not in call
    assert not path.exists()


async def test_a_build_that_is_given_up_is_killed(book: Path) -> None:
    told = Path(f"{book}.pid")
    os.mkfifo(told)
    build = asyncio.ensure_future(flyte.build.aio(image("dawdle")))
    pid = int(await asyncio.to_thread(told.read_text))
    build.cancel()
    with pytest.raises(asyncio.CancelledError):
        await build
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_registry_secret_is_refused_with_the_mend(book: Path) -> None:
    asks = image("make", registry="registry.example").clone(registry_secret="login")
    with pytest.raises(ImageBuildError, match=r"buildah login registry\.example"):
        flyte.build(asks)


def test_the_builder_of_the_configuration_is_used(book: Path) -> None:
    set_settings(ClientSettings(image_builder="docker"))
    with pytest.raises(ImageBuildError, match="docker or buildah is needed"):
        flyte.build(image("make"))


def test_several_platforms() -> None:
    both = ("linux/amd64", "linux/arm64")
    job = Job(uri="r/x:1", file=Path("C"), context=Path("ctx"), platforms=both, push=True)
    build, push = Buildah().build(job)
    assert "--manifest" in build
    assert push == ("buildah", "manifest", "push", "--all", "r/x:1", "docker://r/x:1")
    (buildx,) = DockerBuildx().build(job)
    assert "--push" in buildx
    assert "linux/amd64,linux/arm64" in buildx
    with pytest.raises(ImageBuildError, match="in a registry only"):
        DockerBuildx().build(Job(uri="x:1", file=Path("C"), context=Path("ctx"), platforms=both))


@pytest.fixture
def buildah(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A real buildah with a store of its own, without a daemon or a network."""
    if shutil.which("buildah") is None or os.geteuid() != 0:
        pytest.skip("there is no buildah here, or this is not root")
    storage = tmp_path / "storage.conf"
    storage.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n')
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(storage))
    monkeypatch.setenv("BUILDAH_ISOLATION", "chroot")
    monkeypatch.setenv("HOME", str(tmp_path))
    set_settings(ClientSettings(image_builder="buildah"))
    return tmp_path


def test_a_real_build_has_the_files_and_variables_that_were_asked_for(buildah: Path) -> None:
    data = buildah / "data"
    data.mkdir()
    (data / "a.csv").write_text("1,2\n")
    (data / "private.key").write_text("x\n")
    (data / ".dockerignore").write_text("*.key\n")
    wanted = (
        Image.from_base("scratch")
        .clone(name="mine", extendable=True)
        .with_dockerignore(data / ".dockerignore")
        .with_source_folder(data, "/srv", copy_contents_only=True)
        .with_env_vars({"GREETING": "hi there"})
        .with_workdir("/srv")
    )
    uri = flyte.build(wanted).uri
    assert uri is not None
    config = json.loads(subprocess.run(["buildah", "inspect", uri], capture_output=True, check=True).stdout)["OCIv1"]
    assert config["config"]["WorkingDir"] == "/srv"
    assert "GREETING=hi there" in config["config"]["Env"]
    container = subprocess.run(["buildah", "from", uri], capture_output=True, check=True, text=True).stdout.strip()
    mount = subprocess.run(["buildah", "mount", container], capture_output=True, check=True, text=True).stdout.strip()
    try:
        assert sorted(path.name for path in Path(mount, "srv").glob("[!.]*")) == ["a.csv"]
    finally:
        subprocess.run(["buildah", "umount", container], capture_output=True, check=True)
        subprocess.run(["buildah", "rm", container], capture_output=True, check=True)
