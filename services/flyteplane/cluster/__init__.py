"""The cluster kit: the only code that starts workers, on this machine or on Kubernetes."""
