"""What a run scores with: the MATCH_* variables, and the model that they choose."""

from collections.abc import Mapping
from dataclasses import replace

from psycopg import Connection

from sitejobs.matching.learning.models import Algorithm, Model, chosen_model
from sitejobs.matching.scoring.parameters import Learned, MatchVariables, Parameters, read_parameters
from sitejobs.variables import read_environment


def run_parameters(connection: Connection, environment: Mapping[str, str], top_k: int) -> Parameters:
    """The parameters of a run that begins now.

    Raises
    ------
    InvalidInput : names each wrong variable, what came and what it takes; or there is no model, but v2 is asked for.
    """
    parameters = read_parameters(environment, top_k)
    algorithm = Algorithm(read_environment(MatchVariables, environment).algorithm)
    model = chosen_model(connection, algorithm)
    return parameters if model is None else replace(parameters, model=_learned(model))


def _learned(model: Model) -> Learned:
    weights = model.weights
    return Learned(
        model.id,
        model.intercept,
        weights.traits,
        weights.interests,
        weights.proximity,
        weights.age_gap,
        model.taste,
        model.means,
    )
