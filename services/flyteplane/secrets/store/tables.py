"""The tables of the secrets database. Nothing in them is a value in the clear."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

#: The newest version of each secret. A deleted one keeps its row, without a value, for the sake of its version.
secrets = Table(
    "secrets",
    metadata,
    Column("project", String(63), primary_key=True),
    Column("domain", String(63), primary_key=True),
    Column("group_name", String(253), primary_key=True),
    Column("key", String(253), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("key_id", String(64)),
    Column("wrapped_key", LargeBinary),
    Column("content", LargeBinary),
)

#: Who asked for which secret.
audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Float, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("secret", String(512), nullable=False),
    Column("scope_project", String(63)),
    Column("scope_domain", String(63)),
    Column("version", Integer, nullable=False),
    Column("project", String(63), nullable=False),
    Column("domain", String(63), nullable=False),
    Column("run", String(63), nullable=False),
    Column("action", String(63), nullable=False),
    Column("attempt", Integer, nullable=False),
    # A lease is an unsigned number of 64 bits, one more than the column has room for.
    Column("lease", String(20), nullable=False),
    Column("pool", String(64), nullable=False),
    Column("replica", String(253), nullable=False),
    Index("audit_by_time", "at"),
    Index("audit_by_secret", "secret", "number"),
)

#: Requests that stored something, so that one that is sent again is known.
requests = Table(
    "requests",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("project", String(63), nullable=False),
    Column("domain", String(63), nullable=False),
    Column("group_name", String(253), nullable=False),
    Column("key", String(253), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Index("requests_by_time", "updated_at"),
)
