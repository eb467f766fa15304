"""Adapters of the scheduler's ports to the cluster kit and to the other services."""
