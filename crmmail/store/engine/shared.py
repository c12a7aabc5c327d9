"""peewee's Database on the connection that is open already: what it does, it does in our transaction."""

from __future__ import annotations

from peewee import Database, PostgresqlDatabase, Psycopg3Adapter, SqliteDatabase

from crmmail.core.typed import Any
from crmmail.store.engine.sql import Connection


class _OnSqlite(SqliteDatabase):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        super().__init__(":memory:", lock_type="IMMEDIATE")  # a name that is never opened

    def _connect(self) -> Any:
        self._add_conn_hooks(self._connection.driver)
        return self._connection.driver


class _OnPostgres(PostgresqlDatabase):
    # peewee may have been told that there is no driver (`sql`); it needs none, for the connection is ours.
    psycopg2_adapter = psycopg3_adapter = Psycopg3Adapter

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        super().__init__("crmmail", prefer_psycopg3=True)  # a name that is never opened

    def _connect(self) -> Any:
        return self._connection.driver

    def get_binary_type(self) -> type[memoryview]:
        return memoryview


def database(connection: Connection) -> Database:
    """The one on this connection, made when it is first asked for."""
    if connection.peewee is None:
        connection.peewee = (_OnPostgres if connection.postgres else _OnSqlite)(connection)
        connection.peewee.connect()
    found: Database = connection.peewee
    return found
