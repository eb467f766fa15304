"""The durable store kit: databases, group commit and migrations over SQLAlchemy Core.

The only package beside the services' own `store` folders that knows SQLAlchemy. A store module writes plain functions
from `sqlalchemy.Connection` to values and hands them to a `Database`; this package decides when and where they run.
"""

from flyteplane.records.database import Database, Work, open_database
from flyteplane.records.fencing import fence
from flyteplane.records.group_commit import GroupCommitWriter
from flyteplane.records.hot_statement import HotStatement
from flyteplane.records.migrate import migrate
from flyteplane.records.opening import open_migrated

__all__ = [
    "Database",
    "GroupCommitWriter",
    "HotStatement",
    "Work",
    "fence",
    "migrate",
    "open_database",
    "open_migrated",
]
