"""Queues and resource classes of the API, and where an action's attempt was placed, under which lease."""

from alembic import op
from sqlalchemy import JSON, BigInteger, Boolean, Column, Integer, String

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds two tables, and columns whose defaults say "not placed by this version"."""
    op.create_table(
        "queues",
        Column("name", String(63), primary_key=True),
        *(Column(name, BigInteger, nullable=False) for name in ("run_concurrency", "action_concurrency", "depth")),
        Column("priority", Integer, nullable=False),
        Column("clusters", JSON, nullable=False),
        Column("draining", Boolean, nullable=False),
    )
    _create_resource_classes()
    op.add_column("actions", Column("lease", BigInteger, nullable=False, server_default="0"))
    for name in ("cluster", "resource_class"):
        op.add_column("actions", Column(name, String, nullable=False, server_default=""))


def _create_resource_classes() -> None:
    permissions = ("allow_host_paths", "allow_privileged", "allow_service_account_token")
    op.create_table(
        "resource_classes",
        Column("name", String(63), primary_key=True),
        *(Column(name, BigInteger, nullable=False) for name in ("max_cpu_millis", "max_memory_bytes")),
        *(Column(name, JSON, nullable=False) for name in ("max_accelerators", "clusters")),
        *(Column(name, BigInteger, nullable=False) for name in ("quota_cpu_millis", "quota_memory_bytes")),
        Column("node_selector", JSON, nullable=False),
        *(Column(name, String, nullable=False) for name in ("tolerations_json", "priority_class")),
        *(Column(name, Boolean, nullable=False) for name in permissions),
        Column("service_accounts", JSON, nullable=False),
    )
