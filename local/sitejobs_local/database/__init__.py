"""The embedded PostgreSQL, the migrations, and the database that a command works on."""
