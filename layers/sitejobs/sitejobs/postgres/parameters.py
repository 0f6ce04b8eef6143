"""The parameters that people write into a database's address: libpq's, and those of other drivers.

Names are compared in lower case without `-`, `_` and spaces: libpq's sslmode is JDBC's sslMode and .NET's SSL Mode.
"""

import re
from typing import Final

from psycopg import pq

SCHEMES: Final = frozenset({"postgresql", "postgres", "pg", "pgsql", "postgis", "psql"})
"""How addresses of PostgreSQL begin; SQLAlchemy adds its driver: `postgresql+psycopg`."""


def plain(name: str) -> str:
    """A name as names are compared."""
    return re.sub("[-_ ]", "", name.lower())


LIBPQ: Final = {plain(it.keyword.decode()): it.keyword.decode() for it in pq.Conninfo.get_defaults()} | {
    "username": "user",
    "pass": "password",
    "database": "dbname",
    "databasename": "dbname",
    "server": "host",
    "userid": "user",
    "encoding": "client_encoding",
    "charset": "client_encoding",
    "sslca": "sslrootcert",
    "sslrootca": "sslrootcert",
    "minprotocolversion": "min_protocol_version",
}
"""libpq's keywords, and what other drivers call the same."""

SEARCH_PATH: Final = frozenset({"schema", "currentschema", "searchpath", "schemasearchpath", "options[searchpath]"})
"""Prisma's, JDBC's, pgx's, Rails' and sqlx's. Names in `schema` stand as they are, the others are search paths."""

VALUES: Final = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "sslnegotiation": ("postgres", "direct"),
    "load_balance_hosts": ("disable", "random"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
}
"""What libpq takes."""

WHOLE_NUMBERS: Final = (
    *("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
    "tcp_user_timeout",
)
FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")

SAME_VALUES: Final = {
    "sslmode": {
        "true": "require",
        "1": "require",
        "yes": "require",
        "on": "require",
        "required": "require",
        "false": "disable",
        "0": "disable",
        "no": "disable",
        "off": "disable",
        "disabled": "disable",
        "preferred": "prefer",
        "verifyca": "verify-ca",
        "verifyfull": "verify-full",
        "verifyidentity": "verify-full",
    },
    "load_balance_hosts": {"true": "random", "false": "disable"},
}
"""Other drivers' words for the same, as names are compared."""

NOT_CHECKED: Final = frozenset({"noverify", "acceptinvalidcerts"})
"""node-postgres's and Prisma's words for: encrypted, with any certificate."""

OF_JDBC: Final = {"primary": "read-write", "master": "read-write", "any": "any", "preferprimary": "any"}
"""Values of targetServerType, as target_session_attrs."""

OF_PRISMA: Final = frozenset(
    ("schema", "connectionlimit", "pooltimeout", "pgbouncer", "statementcachesize", "sockettimeout", "sslaccept")
)
"""Prisma's own. Beside them `sslcert` is the authority's file, not a client's certificate."""

UNDERSTOOD: Final = frozenset({"pgbouncer", "uselibpqcompat"})
"""They ask for what is done anyway: nothing is prepared, sslmode has libpq's meaning."""

_OF_OTHERS: Final = """
Prisma: connection_limit pool_timeout socket_timeout statement_cache_size single_use_connections
    max_connection_lifetime max_idle_connection_lifetime
node-postgres, postgres.js, Knex, TypeORM: max min idleTimeoutMillis connectionTimeoutMillis query_timeout
    idle_timeout max_lifetime prepare keepAlive keepAliveInitialDelayMillis allowExitOnIdle maxUses fetch_types binary
    maxLifetimeSeconds poolSize backoff max_pipeline keep_alive no_prepare publications
SQLAlchemy, asyncpg, psycopg, pg8000, Django: prepared_statement_cache_size prepared_statement_name_func
    command_timeout timeout prepare_threshold max_cached_statement_lifetime max_cacheable_statement_size
    conn_max_age conn_health_checks pool_size max_overflow pool_recycle pool_pre_ping autocommit async_fallback
    ssl_require
Rails, Ecto: pool checkout_timeout reaping_frequency prepared_statements statement_limit min_messages adapter
    advisory_locks insert_returning queue_target queue_interval
pgx, pq, migrate, sqlx: pool_max_conns pool_min_conns pool_min_idle_conns pool_max_conn_lifetime
    pool_max_conn_idle_time pool_max_conn_lifetime_jitter pool_health_check_period default_query_exec_mode
    binary_parameters statement_cache_capacity statement_cache_mode description_cache_capacity
    disable_prepared_binary_result min_read_buffer_size krbspn x_migrations_table x_multi_statement x_statement_timeout
JDBC, R2DBC, Npgsql: prepareThreshold preparedStatementCacheQueries preparedStatementCacheSizeMiB
    defaultRowFetchSize socketTimeout loginTimeout cancelSignalTimeout tcpKeepAlive tcpNoDelay
    reWriteBatchedInserts stringtype binaryTransfer binaryTransferEnable autosave hostRecheckSeconds unknownLength
    logUnclosedConnections assumeMinServerVersion sslfactory sslhostnameverifier readOnly adaptiveFetch
    allowEncodingChanges preferQueryMode escapeSyntaxCallMode maximumPoolSize minimumIdle useUnicode
    characterEncoding pooling minPoolSize maxPoolSize trustServerCertificate includeErrorDetail
    adaptiveFetchMaximum adaptiveFetchMinimum binaryTransferDisable cleanupSavepoints databaseMetadataCacheFields
    databaseMetadataCacheFieldsMiB disableColumnSanitiser groupStartupParameters gssResponseTimeout
    hideUnprivilegedObjects localSocketAddress loggerFile loggerLevel logServerErrorDetail maxResultBuffer
    maxSendBufferSize protocolVersion queryTimeout quoteReturningIdentifiers readOnlyMode receiveBufferSize
    sendBufferSize sslResponseTimeout sslfactoryarg sslpasswordcallback xmlFactoryFactory wrapperPlugins
    commandTimeout connectionIdleLifetime connectionLifetime connectionPruningInterval multiplexing noResetOnClose
    maxAutoPrepare autoPrepareMinUsages keepAliveInterval
Supabase, Doctrine: supa workaround serverVersion
limits of the site's own requests: statement_timeout lock_timeout idle_in_transaction_session_timeout
    transaction_timeout
set for every connection anyway: timezone datestyle intervalstyle bytea_output extra_float_digits
    client_min_messages
"""
IGNORED: Final = frozenset(map(plain, re.sub(r"(?m)^.*?:", "", _OF_OTHERS).split()))
"""Parameters that mean nothing to the jobs: pools, caches of statements, limits of the site's own requests."""

REFUSED: Final = {
    "sslidentity": "a PKCS#12 file is not taken: write sslcert and sslkey with PEM files"
    " (`openssl pkcs12 -in client.p12` makes them)",
    "sslinline": "write the names of PEM files as sslrootcert, sslcert and sslkey",
    "socketfactory": "the address names no host: start the proxy of its provider, and name the proxy's host",
    "cloudsqlinstance": "start the Cloud SQL Auth Proxy, and name its host",
    "authenticationpluginclassname": "the jobs log in by a password, a certificate or a token of IAM",
    "requiressl": "write sslmode=require",
    "replication": "the jobs need an ordinary connection: leave it out",
}
"""What cannot be taken, and what to write."""
