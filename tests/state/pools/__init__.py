"""Pools over the lives of everything: schedulers, reuse pools and replicas that die, in virtual time."""
