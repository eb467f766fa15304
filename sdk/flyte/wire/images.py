"""The image of a task as it travels: its reference, and what it adds to the default image.

Pods pull the reference. A process on the platform's own machine has no image, and gets the Python packages that the
image stands for instead; it refuses what it cannot give.
"""

from __future__ import annotations

from flyte.authoring.image_names import DEFAULT_NAME, uri_of, with_registry
from flyte.spec import image_layers as layers
from flyte.spec.image import Image
from flyteapi.task.v1 import task_spec_pb2


def image_to_proto(image: str | Image | None) -> task_spec_pb2.ImageSpec:
    """Return the image of a task; "auto" and None are the configured or else the platform's default image.

    Raises ImageBuildError for an image without a base, FileNotFoundError for one that names a missing file.
    """
    if image is None or image == "auto":
        return task_spec_pb2.ImageSpec(uri=uri_of(DEFAULT_NAME) or "")
    if isinstance(image, str):
        return task_spec_pb2.ImageSpec(uri=image)
    named = uri_of(image.ref_name) if image.ref_name is not None else None
    message = task_spec_pb2.ImageSpec(uri=named or with_registry(image).uri)
    if image.layers or image.dockerfile is not None:
        _add_steps(message, image)
    return message


def _add_steps(message: task_spec_pb2.ImageSpec, image: Image) -> None:
    """Only images with steps need the reading of requirements."""
    from flyte.wire.image_packages import container_steps, installations, refers
    from flyte.wire.requirements_file import bare

    installs = installations(image)
    for install in installs:
        message.python_packages.extend(map(bare, install.packages))
    if not all(install.is_plain for install in installs):
        message.python_installs.extend(
            task_spec_pb2.PythonInstall(
                packages=install.packages, options=install.options, constraints=install.constraints
            )
            for install in installs
        )
    message.container_steps.extend(container_steps(image))
    for layer in image.layers:
        if isinstance(layer, layers.AptPackages):
            message.system_packages.extend(layer.packages)
        elif isinstance(layer, layers.EnvVars):
            # What refers to another variable is settled in the image, where that one has a value.
            message.env.update({name: value for name, value in layer.env_vars if not refers(value)})
