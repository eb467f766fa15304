"""The scheduler's stores: records in a database, captured output in files."""
