"""Needs what is not there."""

import flyte
import nowhere_to_be_found  # type: ignore[import-not-found]

env = flyte.TaskEnvironment(name="does_not_import")
