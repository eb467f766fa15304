"""Serving and calling gRPC: one server set-up, one table of errors, and a channel that stays inside the process.

`server` and `inprocess` take the same servicers through the same generated functions, so that a service does not know
whether its callers are across the network or in the next task.
"""
