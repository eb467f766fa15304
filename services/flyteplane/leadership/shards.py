"""What is led: the names under which leaders are elected, and found by those who call them."""

from typing import Final

#: The only shard of the scheduler that there is at present.
SCHEDULER: Final = "scheduler/0"
#: And of the reuse pool.
REUSE_POOL: Final = "reuse_pool/0"
#: And of the services that have one each in any case.
ADMIN: Final = "admin/0"
CACHE: Final = "cache/0"
SECRETS: Final = "secrets/0"
