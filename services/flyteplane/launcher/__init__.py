"""All services of the platform in one process, over one folder.

    python -m flyteplane.launcher --data ~/.flyte/platform

`platform` opens and closes the whole as a library; `process` is the program around it. Which services there are, and
what each is given, is the table in `services`.
"""
