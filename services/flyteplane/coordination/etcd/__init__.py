"""The coordination port over etcd, version 3.4 or later: a thin asyncio client of our own.

Only this folder knows etcd's messages and statuses. Nothing here is imported before somebody asks for etcd.
"""
