"""Pod templates by name and as objects, for environments and tasks."""

from kubernetes.client import V1Container, V1EnvVar, V1PodSpec

import flyte

template = flyte.PodTemplate(
    primary_container_name="primary",
    labels={"lKeyA": "lValA"},
    annotations={"aKeyA": "aValA"},
    pod_spec=V1PodSpec(
        containers=[V1Container(name="primary", env=[V1EnvVar(name="hello", value="world")])],
        node_selector={"pool": "a"},
    ),
)
env = flyte.TaskEnvironment(name="pod_templates", pod_template=template)
named = flyte.TaskEnvironment(name="pod_templates_named", pod_template="my-template", depends_on=[env])


@env.task
async def say_hello(data: str) -> str:
    return f"Hello {data}"


@env.task(pod_template="another")
async def other() -> str:
    return "other"


@named.task
async def main(data: str = "default") -> str:
    return await say_hello(data) + await other()


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(main).outputs()[0] == "Hello defaultother"
