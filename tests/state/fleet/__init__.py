"""Several scheduler processes, pods that outlive them, and everything between that can fail; in virtual time."""
