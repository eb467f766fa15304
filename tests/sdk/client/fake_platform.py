"""A platform of canned answers: real gRPC on a unix socket, on a loop of its own, so that blocking calls meet it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from flyte.syncify import BackgroundLoop
from flyteapi.admin.v1 import (
    data_service_pb2,
    data_service_pb2_grpc,
    identity_service_pb2,
    identity_service_pb2_grpc,
    project_service_pb2,
    project_service_pb2_grpc,
    run_service_pb2,
    run_service_pb2_grpc,
    task_service_pb2,
    task_service_pb2_grpc,
    trigger_service_pb2,
    trigger_service_pb2_grpc,
)
from flyteapi.common.v1 import phase_pb2
from flyteapi.scheduler.v1 import scheduler_service_pb2

Watch = Callable[[run_service_pb2.WatchRunRequest], AsyncIterator[run_service_pb2.WatchRunResponse]]


@dataclass
class Script:
    """What the platform has seen, and what it will say."""

    store: Path
    created: list[run_service_pb2.CreateRunRequest] = field(default_factory=list)
    aborted: list[run_service_pb2.AbortRunRequest] = field(default_factory=list)
    watched: list[int] = field(default_factory=list)
    deployed: list[task_service_pb2.DeployTasksRequest] = field(default_factory=list)
    triggers: dict[str, trigger_service_pb2.Trigger] = field(default_factory=dict)
    objects: dict[bytes, bytes] = field(default_factory=dict)
    folders: dict[str, bytes] = field(default_factory=dict)
    uploads_asked: int = 0
    gives_urls: bool = True
    runs: dict[str, run_service_pb2.Run] = field(default_factory=dict)
    actions: list[scheduler_service_pb2.ActionState] = field(default_factory=list)
    data: run_service_pb2.GetActionDataResponse = field(default_factory=run_service_pb2.GetActionDataResponse)
    logs: list[bytes] = field(default_factory=list)
    watch: Watch | None = None
    refuse: Callable[[str, Any], Any] | None = None
    lose: Callable[[str, Any], Any] | None = None
    """Is awaited when everything is done but the answer."""
    metadata: list[tuple[str, str]] = field(default_factory=list)


def _page(entries: list[Any], request: Any) -> tuple[list[Any], str]:
    start = int(request.page_token or 0)
    end = start + (request.page_size or 100)
    return entries[start:end], str(end) if end < len(entries) else ""


class Runs(run_service_pb2_grpc.RunServiceServicer):
    def __init__(self, script: Script) -> None:
        self._script = script

    async def CreateRun(self, request: Any, context: Any) -> Any:
        self._script.metadata += [(key, str(value)) for key, value in context.invocation_metadata()]
        if self._script.refuse is not None:
            await self._script.refuse("CreateRun", context)
        known = next((one for one in self._script.created if one.request_id == request.request_id), None)
        if known is None:
            self._script.created.append(request)
        if self._script.lose is not None:
            await self._script.lose("CreateRun", context)
        run = run_service_pb2.Run(id=request.run, task_name=request.spec.name or request.deployed.name)
        run.id.name = request.run.name or "generated"
        run.phase = phase_pb2.PHASE_QUEUED
        self._script.runs.setdefault(run.id.name, run)
        return run_service_pb2.CreateRunResponse(run=self._script.runs[run.id.name], created=known is None)

    async def GetRun(self, request: Any, context: Any) -> Any:
        run = self._script.runs.get(request.run.name)
        if run is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no run {request.run.name}")
        return run_service_pb2.GetRunResponse(run=run)

    async def ListRuns(self, request: Any, context: Any) -> Any:
        page, token = _page(list(self._script.runs.values()), request)
        return run_service_pb2.ListRunsResponse(runs=page, next_page_token=token)

    async def WatchRun(self, request: Any, context: Any) -> Any:
        self._script.watched.append(request.from_sequence)
        assert self._script.watch is not None
        async for piece in self._script.watch(request):
            yield piece

    async def AbortRun(self, request: Any, context: Any) -> Any:
        self._script.aborted.append(request)
        if (run := self._script.runs.get(request.run.name)) is not None:
            run.phase = phase_pb2.PHASE_ABORTED
            run.error.code, run.error.message = "ABORTED", request.reason
        return run_service_pb2.AbortRunResponse(phase=phase_pb2.PHASE_ABORTED)

    async def ListActions(self, request: Any, context: Any) -> Any:
        found = [one for one in self._script.actions if not request.phases or one.phase in request.phases]
        return run_service_pb2.ListActionsResponse(actions=found)

    async def GetAction(self, request: Any, context: Any) -> Any:
        found = next((one for one in self._script.actions if one.id.name == request.action.name), None)
        if found is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no action {request.action.name}")
        return run_service_pb2.GetActionResponse(action=found)

    async def GetActionData(self, request: Any, context: Any) -> Any:
        return self._script.data

    async def StreamLogs(self, request: Any, context: Any) -> Any:
        for piece in self._script.logs:
            yield run_service_pb2.StreamLogsResponse(data=piece, attempt=1)


class Data(data_service_pb2_grpc.DataServiceServicer):
    def __init__(self, script: Script) -> None:
        self._script = script

    async def CreateUploadUrl(self, request: Any, context: Any) -> Any:
        self._script.uploads_asked += 1
        if request.folder:
            root = f"store://{request.folder}"
            return data_service_pb2.CreateUploadUrlResponse(uri=f"{root}/{request.filename}", folder_uri=root)
        path = self._script.store / f"{request.sha256.hex()}.tar.gz"
        exists = path.exists() or request.sha256 in self._script.objects
        url = path.as_uri() if self._script.gives_urls else ""
        # As the platform does: a client takes a folder that is there for one that it shares.
        path.parent.mkdir(parents=True, exist_ok=True)
        return data_service_pb2.CreateUploadUrlResponse(exists=exists, upload_url=url, uri=path.as_uri())

    async def UploadObject(self, request_iterator: Any, context: Any) -> Any:
        content, named = b"", None
        async for piece in request_iterator:
            named = piece.object if piece.HasField("object") else named
            content += piece.data
        assert named is not None
        if hashlib.sha256(content).digest() != named.sha256:
            await context.abort(grpc.StatusCode.DATA_LOSS, "other digest")
        self._script.objects[named.sha256] = content
        if named.folder:
            self._script.folders[f"store://{named.folder}/{named.filename}"] = content
        return data_service_pb2.UploadObjectResponse(uri=f"store://{named.sha256.hex()}")

    async def CreateDownloadUrl(self, request: Any, context: Any) -> Any:
        return data_service_pb2.CreateDownloadUrlResponse()

    async def DownloadObject(self, request: Any, context: Any) -> Any:
        content = self._script.objects[bytes.fromhex(request.uri.removeprefix("store://"))]
        for start in range(0, len(content), 1000):
            yield data_service_pb2.DownloadObjectResponse(data=content[start : start + 1000])


class Tasks(task_service_pb2_grpc.TaskServiceServicer):
    def __init__(self, script: Script) -> None:
        self._script = script

    async def DeployTasks(self, request: Any, context: Any) -> Any:
        self._script.deployed.append(request)
        return task_service_pb2.DeployTasksResponse()

    async def GetTask(self, request: Any, context: Any) -> Any:
        for deployment in reversed(self._script.deployed):
            for spec in deployment.tasks:
                if spec.name == request.name and request.version in ("", deployment.version):
                    task = task_service_pb2.DeployedTask(
                        project=request.project,
                        domain=request.domain,
                        name=spec.name,
                        version=deployment.version,
                        spec=spec,
                    )
                    return task_service_pb2.GetTaskResponse(task=task)
        return await context.abort(grpc.StatusCode.NOT_FOUND, f"no task {request.name}")


class Identity(identity_service_pb2_grpc.IdentityServiceServicer):
    async def WhoAmI(self, request: Any, context: Any) -> Any:
        return identity_service_pb2.WhoAmIResponse(subject="key:laptop", version="9.9", mode="embedded")


class Projects(project_service_pb2_grpc.ProjectServiceServicer):
    def __init__(self) -> None:
        self._projects: dict[str, project_service_pb2.Project] = {}

    async def CreateProject(self, request: Any, context: Any) -> Any:
        if request.project.id in self._projects:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, f"project {request.project.id} exists")
        request.project.domains.append("development")
        self._projects[request.project.id] = request.project
        return project_service_pb2.CreateProjectResponse(project=request.project)

    async def ListProjects(self, request: Any, context: Any) -> Any:
        page, token = _page(list(self._projects.values()), request)
        return project_service_pb2.ListProjectsResponse(projects=page, next_page_token=token)


class Triggers(trigger_service_pb2_grpc.TriggerServiceServicer):
    """Keeps triggers by name."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def PutTrigger(self, request: Any, context: Any) -> Any:
        self._script.triggers[request.trigger.id.name] = request.trigger
        return trigger_service_pb2.PutTriggerResponse(trigger=request.trigger)

    async def GetTrigger(self, request: Any, context: Any) -> Any:
        if request.id.name not in self._script.triggers:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no trigger {request.id.name}")
        return trigger_service_pb2.GetTriggerResponse(trigger=self._script.triggers[request.id.name])

    async def ListTriggers(self, request: Any, context: Any) -> Any:
        page, token = _page(list(self._script.triggers.values()), request)
        return trigger_service_pb2.ListTriggersResponse(triggers=page, next_page_token=token)

    async def SetTriggerActive(self, request: Any, context: Any) -> Any:
        trigger = self._script.triggers[request.id.name]
        trigger.active = request.active
        return trigger_service_pb2.SetTriggerActiveResponse(trigger=trigger)

    async def DeleteTrigger(self, request: Any, context: Any) -> Any:
        del self._script.triggers[request.id.name]
        return trigger_service_pb2.DeleteTriggerResponse()


class FakePlatform:
    """The server. It can be stopped and started again on its socket."""

    def __init__(self, folder: Path) -> None:
        self.endpoint = f"unix:{folder}/p.sock"
        self.script = Script(store=folder / "store")
        self._projects = Projects()  # type: ignore[abstract]
        self._background = BackgroundLoop(name="fake-platform")
        self._server: grpc.aio.Server | None = None

    def start(self) -> None:
        self._background.run(self._start(), what="start")

    def stop(self) -> None:
        self._background.run(self._stop(), what="stop")

    def close(self) -> None:
        self.stop()
        loop = self._background.loop()
        loop.call_soon_threadsafe(loop.stop)

    async def _start(self) -> None:
        server = grpc.aio.server()
        run_service_pb2_grpc.add_RunServiceServicer_to_server(Runs(self.script), server)  # type: ignore[abstract]
        data_service_pb2_grpc.add_DataServiceServicer_to_server(Data(self.script), server)  # type: ignore[abstract]
        task_service_pb2_grpc.add_TaskServiceServicer_to_server(Tasks(self.script), server)  # type: ignore[abstract]
        identity_service_pb2_grpc.add_IdentityServiceServicer_to_server(Identity(), server)  # type: ignore[abstract]
        project_service_pb2_grpc.add_ProjectServiceServicer_to_server(self._projects, server)
        triggers = Triggers(self.script)  # type: ignore[abstract]
        trigger_service_pb2_grpc.add_TriggerServiceServicer_to_server(triggers, server)
        server.add_insecure_port(self.endpoint)
        await server.start()
        self._server = server

    async def _stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
            self._server = None
            await asyncio.sleep(0)
