"""The embedded PostgreSQL (`postgres`), the migrations, and the database that a command works on (`target`)."""
