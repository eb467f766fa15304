"""Local mode: tasks run in this process, without a platform.

What a platform would do is done here too, as far as one process can: values really are encoded and decoded, failures
are retried after their pauses, timeouts and inline limits are kept, results are cached, variables are set, and children
run at the same time. What it cannot do is isolate: tasks share the process, its environment and its memory.
"""
