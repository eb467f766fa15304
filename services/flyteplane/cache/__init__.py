"""The cache service: results of tasks by content, isolated by project and domain."""
