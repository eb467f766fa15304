"""TaskService: deploy and look up."""

from flyteapi.admin.v1 import task_service_pb2 as pb
from flyteapi.admin.v1.task_service_pb2_grpc import TaskServiceServicer
from flyteplane.admin.application.admission import TaskVersionName
from flyteplane.admin.application.tasks import Tasks
from flyteplane.admin.domain.task_version import DeployedTask
from flyteplane.admin.servicer.context import CallerOf, Context
from flyteplane.admin.servicer.run_messages import timestamp


class TaskServicer(TaskServiceServicer):
    """See `task_service.proto`."""

    def __init__(self, *, tasks: Tasks, caller_of: CallerOf) -> None:
        self._tasks = tasks
        self._caller_of = caller_of

    async def DeployTasks(self, request: pb.DeployTasksRequest, context: Context) -> pb.DeployTasksResponse:
        deployed = await self._tasks.deploy(
            request.tasks,
            project=request.project,
            domain=request.domain,
            version=request.version,
            deployed_by=self._caller_of(context),
        )
        return pb.DeployTasksResponse(tasks=[_message(task) for task in deployed])

    async def GetTask(self, request: pb.GetTaskRequest, context: Context) -> pb.GetTaskResponse:
        wanted = TaskVersionName(
            project=request.project, domain=request.domain, name=request.name, version=request.version
        )
        return pb.GetTaskResponse(task=_message(await self._tasks.get(wanted)))

    async def ListTasks(self, request: pb.ListTasksRequest, context: Context) -> pb.ListTasksResponse:
        page = await self._tasks.list(
            project=request.project,
            domain=request.domain,
            name=request.name,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListTasksResponse(tasks=[_message(task) for task in page.tasks], next_page_token=page.next_token)


def _message(task: DeployedTask) -> pb.DeployedTask:
    message = pb.DeployedTask(
        project=task.project,
        domain=task.domain,
        name=task.name,
        version=task.version,
        digest=task.digest,
        deployed_at=timestamp(task.deployed_at_us),
        deployed_by=task.deployed_by,
    )
    message.spec.ParseFromString(task.spec)
    return message
