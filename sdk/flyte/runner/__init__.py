"""What runs inside a worker: the warm template, the worker that carries attempts out, and its way to call children.

Nothing here is public API. Workers are started as `python -m flyte.runner.template`; user code meets this package
only through the controller that `flyte.authoring` is given while an attempt runs.
"""
