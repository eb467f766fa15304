"""The gRPC face of the cache."""
