"""Where the files of the repository are: the local machine runs them as they are."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TEMPLATE = REPOSITORY / "template.yaml"
SITE_SCHEMA = REPOSITORY / "local" / "site-schema.sql"
