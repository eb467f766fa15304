"""Deployed versions and projects."""

from __future__ import annotations

import hashlib

import grpc
import pytest
from tests.admin.conftest import Admin, create_request, run_id, task_spec
from tests.admin.refusals import refused

from flyteapi.admin.v1 import project_service_pb2 as projects_pb
from flyteapi.admin.v1 import run_service_pb2 as runs_pb
from flyteapi.admin.v1 import task_service_pb2 as pb
from flyteapi.task.v1.task_spec_pb2 import TaskSpec


def deploy(version: str, *tasks: TaskSpec, project: str = "flytesnacks") -> pb.DeployTasksRequest:
    return pb.DeployTasksRequest(project=project, domain="development", version=version, tasks=tasks)


def wanted(name: str, version: str = "") -> pb.GetTaskRequest:
    return pb.GetTaskRequest(project="flytesnacks", domain="development", name=name, version=version)


async def test_a_version_can_be_read_back_with_its_digest(admin: Admin) -> None:
    await admin.tasks.DeployTasks(deploy("v1", task_spec("env.a"), task_spec("env.b")))
    task = (await admin.tasks.GetTask(wanted("env.b", "v1"))).task
    assert task.spec == task_spec("env.b")
    assert task.digest == hashlib.sha256(task_spec("env.b").SerializeToString(deterministic=True)).digest()
    assert (task.deployed_by, task.version) == ("local:tester", "v1")


async def test_deploying_the_same_again_changes_nothing(admin: Admin) -> None:
    first = await admin.tasks.DeployTasks(deploy("v1", task_spec("env.a")))
    admin.clock.advance(10)
    assert await admin.tasks.DeployTasks(deploy("v1", task_spec("env.a"))) == first


async def test_a_version_never_changes_and_a_deployment_is_all_or_none(admin: Admin) -> None:
    await admin.tasks.DeployTasks(deploy("v1", task_spec("env.a")))
    with refused(grpc.StatusCode.ALREADY_EXISTS) as refusal:
        await admin.tasks.DeployTasks(deploy("v1", task_spec("env.new"), task_spec("env.a", report=True)))
    assert (refusal.reason, refusal.field) == ("TASK_VERSION_EXISTS", "version")
    with refused(grpc.StatusCode.NOT_FOUND):
        await admin.tasks.GetTask(wanted("env.new"))


async def test_the_newest_version_is_the_one_deployed_last(admin: Admin) -> None:
    for version in ("v1", "v3", "v2"):
        await admin.tasks.DeployTasks(deploy(version, task_spec("env.a", short_description=version)))
    assert (await admin.tasks.GetTask(wanted("env.a"))).task.version == "v2"


async def test_a_page_ends_before_it_is_too_large_for_a_message(admin: Admin) -> None:
    for name in "abc":
        await admin.tasks.DeployTasks(deploy("v1", task_spec(f"env.{name}", long_description="x" * 1_900_000)))
    pages, token = list[list[str]](), ""
    while token or not pages:
        request = pb.ListTasksRequest(project="flytesnacks", domain="development", page_token=token)
        page = await admin.tasks.ListTasks(request)
        assert page.ByteSize() < 4 * 1024 * 1024
        pages.append([task.name for task in page.tasks])
        token = page.next_page_token
    assert pages == [["env.a"], ["env.b"], ["env.c"]]


async def test_lists_give_the_newest_of_each_or_all_of_one(admin: Admin) -> None:
    for version in ("v1", "v2"):
        await admin.tasks.DeployTasks(deploy(version, *(task_spec(f"env.{name}") for name in "abc")))
    seen: list[tuple[str, str]] = []
    token = ""
    while True:
        page = await admin.tasks.ListTasks(
            pb.ListTasksRequest(project="flytesnacks", domain="development", page_size=2, page_token=token)
        )
        seen.extend((task.name, task.version) for task in page.tasks)
        token = page.next_page_token
        if not token:
            break
    assert seen == [("env.a", "v2"), ("env.b", "v2"), ("env.c", "v2")]
    versions = await admin.tasks.ListTasks(
        pb.ListTasksRequest(project="flytesnacks", domain="development", name="env.a", page_size=1)
    )
    assert [task.version for task in versions.tasks] == ["v2"]
    rest = await admin.tasks.ListTasks(
        pb.ListTasksRequest(
            project="flytesnacks",
            domain="development",
            name="env.a",
            page_size=1,
            page_token=versions.next_page_token,
        )
    )
    assert ([task.version for task in rest.tasks], rest.next_page_token) == (["v1"], "")


async def test_a_deployment_that_cannot_work_is_refused(admin: Admin) -> None:
    missing = task_spec("env.a")
    missing.entrypoint.bundle_digest = "a" * 64
    for request, code, field in (
        (deploy("v1", missing), grpc.StatusCode.NOT_FOUND, "tasks.entrypoint.bundle_digest"),
        (deploy("v1", task_spec("env.a"), project="moon"), grpc.StatusCode.NOT_FOUND, "project"),
        (deploy("v1", task_spec("env.a"), task_spec("env.a")), grpc.StatusCode.INVALID_ARGUMENT, "tasks"),
        (deploy("v 1", task_spec("env.a")), grpc.StatusCode.INVALID_ARGUMENT, "version"),
        (deploy("v1"), grpc.StatusCode.INVALID_ARGUMENT, "tasks"),
        (deploy("v1", task_spec("noenv")), grpc.StatusCode.INVALID_ARGUMENT, "spec"),
    ):
        with refused(code) as refusal:
            await admin.tasks.DeployTasks(request)
        assert refusal.field.startswith(field)


async def test_a_bundle_that_was_uploaded_can_be_deployed(admin: Admin) -> None:
    digest = hashlib.sha256(b"code").hexdigest()
    await admin.objects.put(f"bundles/{digest}.tar.gz", b"code")
    spec = task_spec("env.a")
    spec.entrypoint.bundle_digest = digest
    assert len((await admin.tasks.DeployTasks(deploy("v1", spec))).tasks) == 1


def deployed_run(name: str, *, version: str = "", request_id: str = "") -> runs_pb.CreateRunRequest:
    request = create_request(name, request_id=request_id)
    request.deployed.CopyFrom(runs_pb.TaskVersionId(name="env.square", version=version))
    return request


async def test_a_run_of_a_deployed_version_gets_its_spec(admin: Admin) -> None:
    await admin.tasks.DeployTasks(deploy("v1", task_spec(short_description="one")))
    await admin.tasks.DeployTasks(deploy("v2", task_spec(short_description="two")))
    await admin.runs.CreateRun(deployed_run("old", version="v1"))
    await admin.runs.CreateRun(deployed_run("new"))
    descriptions = {key: held.request.task.short_description for key, held in admin.scheduler.runs.items()}
    assert descriptions == {"flytesnacks/development/old": "one", "flytesnacks/development/new": "two"}


async def test_a_repeated_request_for_the_newest_version_is_the_same_run_after_a_deployment(admin: Admin) -> None:
    await admin.tasks.DeployTasks(deploy("v1", task_spec(short_description="one")))
    first = await admin.runs.CreateRun(deployed_run("", request_id="q1"))
    await admin.tasks.DeployTasks(deploy("v2", task_spec(short_description="two")))
    again = await admin.runs.CreateRun(deployed_run("", request_id="q1"))
    assert (again.run, again.created) == (first.run, False)
    read = await admin.runs.GetRun(runs_pb.GetRunRequest(run=run_id(first.run.id.name)))
    assert read.task.short_description == "one"


async def test_the_default_project_always_exists(admin: Admin) -> None:
    project = (await admin.projects.GetProject(projects_pb.GetProjectRequest(id="flytesnacks"))).project
    assert list(project.domains) == ["development", "staging", "production"]
    await admin.restart()
    listed = await admin.projects.ListProjects(projects_pb.ListProjectsRequest())
    assert [project.id for project in listed.projects] == ["flytesnacks"]


async def test_a_project_is_created_once_and_changed_in_what_is_given(admin: Admin) -> None:
    new = projects_pb.Project(id="own", description="mine", labels={"team": "red"})
    created = (await admin.projects.CreateProject(projects_pb.CreateProjectRequest(project=new))).project
    assert (created.name, list(created.domains)) == ("own", ["development", "staging", "production"])
    with refused(grpc.StatusCode.ALREADY_EXISTS):
        await admin.projects.CreateProject(projects_pb.CreateProjectRequest(project=new))
    changed = await admin.projects.UpdateProject(projects_pb.UpdateProjectRequest(id="own", name="Ours", archived=True))
    assert (changed.project.name, changed.project.description, changed.project.archived) == ("Ours", "mine", True)
    assert changed.project.labels == {"team": "red"}
    listed = await admin.projects.ListProjects(projects_pb.ListProjectsRequest())
    assert "own" not in [project.id for project in listed.projects]
    everything = await admin.projects.ListProjects(projects_pb.ListProjectsRequest(include_archived=True))
    assert "own" in [project.id for project in everything.projects]


@pytest.mark.parametrize(
    ("project", "field"),
    [
        (projects_pb.Project(id="Not A Name"), "project.id"),
        (projects_pb.Project(id="own", domains=["a", "a"]), "project.domains"),
        (projects_pb.Project(id="own", domains=["a b"]), "project.domains"),
        (projects_pb.Project(id="own", labels={"a": "b c"}), "project.labels"),
        (projects_pb.Project(id="own", description="x" * 5000), "project.description"),
    ],
)
async def test_a_project_that_breaks_a_rule_names_the_field(
    admin: Admin, project: projects_pb.Project, field: str
) -> None:
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        await admin.projects.CreateProject(projects_pb.CreateProjectRequest(project=project))
    assert refusal.field.startswith(field)


async def test_an_unknown_project_is_not_found(admin: Admin) -> None:
    for call in (
        admin.projects.GetProject(projects_pb.GetProjectRequest(id="moon")),
        admin.projects.UpdateProject(projects_pb.UpdateProjectRequest(id="moon", name="x")),
    ):
        with refused(grpc.StatusCode.NOT_FOUND) as refusal:
            await call
        assert "flyte create project moon" in refusal.text
