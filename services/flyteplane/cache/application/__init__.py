"""Use cases of the cache and the ports that they need."""
