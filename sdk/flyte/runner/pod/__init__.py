"""The main process of a worker's container: between the scheduler, which it speaks to by gRPC, and the worker program.

`python -m flyte.runner.pod` forks the worker, which is the same program as on a machine of the platform's own, before
anything else is done. The worker loads the runtime while this process, the agent, loads gRPC and connects. The agent
relays what both say, survives the loss of every scheduler, and makes an end of the task when it has been out of contact
for too long.
"""
