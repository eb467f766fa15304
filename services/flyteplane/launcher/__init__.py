"""The platform as processes: all services in one, or as several that find each other.

    python -m flyteplane.launcher --data ~/.flyte/platform
    python -m flyteplane.launcher --data ~/.flyte/platform --services scheduler --name s1 --etcd 10.0.0.2:2379

`platform` opens and closes the whole in one process as a library, `service_process` one process of several; `process`
is the program around both. Which services there are, and what each is given, is the table in `services`.
"""
