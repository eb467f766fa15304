"""One file for each rpc service: messages in, domain values, use case, messages out."""
