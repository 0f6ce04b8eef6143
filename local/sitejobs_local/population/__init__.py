"""A synthetic dating and social site: `generate` makes it, `load` writes it into a database.

People have a latent taste, charm and place; quiz answers, interests, ratings and matches all follow from these, so
that good matches really exist. Everything that can be missing on a real site is missing for some.
"""

from sitejobs_local.population.generation import MOST_USERS, generate, planted
from sitejobs_local.population.loading import Progress, load
from sitejobs_local.population.model import Column, Kind, Population, Table
from sitejobs_local.population.tastes import Tastes

__all__ = ["MOST_USERS", "Column", "Kind", "Population", "Progress", "Table", "Tastes", "generate", "load", "planted"]
