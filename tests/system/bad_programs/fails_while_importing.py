"""Divides by nothing."""

import flyte

env = flyte.TaskEnvironment(name="fails_while_importing")
SHARE = 1 // int("0")
