"""The configuration of tasks as frozen values: what can be said, what it means, and what is refused.

This package needs the standard library only. The SDK's authoring surface is built on it, and the services use it to
read and to check what the SDK sends, so that each rule of the configuration is written once. Import what is needed
from its modules; nothing is imported here, to keep `import flyte` fast.
"""
