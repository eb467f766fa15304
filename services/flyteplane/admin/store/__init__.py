"""The database of admin, and where its objects are."""
