"""Kubernetes as a cluster: workers are pods. Imported only by who names a Kubernetes cluster, as its client is heavy."""
