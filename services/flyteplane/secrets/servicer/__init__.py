"""The gRPC face of the secrets service."""
