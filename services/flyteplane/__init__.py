"""Flyteplane: the services that carry out programs written against `flyte`, and the kits that they share."""
