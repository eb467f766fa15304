"""The register of pools and replicas."""
