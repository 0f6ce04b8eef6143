"""A database with the site's tables and the bundle's, empty."""

from tests.matching.conftest import site, site_url

__all__ = ["site", "site_url"]
