"""Kubernetes as a cluster: workers are pods. Imported only where one is configured: its client is heavy."""
