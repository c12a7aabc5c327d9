"""The ground of the store: the connection and its statements, for SQLite and for PostgreSQL."""
