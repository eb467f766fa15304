"""The services that admin calls, behind the ports of its use cases."""
