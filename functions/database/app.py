"""Check and Migrate: the database as the functions see it, for `sitejobs check --stack` and `db migrate --stack`."""

from sitejobs.handlers.database import check_handler, migrate_handler

check = check_handler()
migrate = migrate_handler()
