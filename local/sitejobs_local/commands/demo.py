"""`sitejobs demo`: from nothing to one user's best matches."""

import os
from contextlib import ExitStack

import click

from sitejobs_local.commands.common import output

MODEL_JOB = "match-model"


@click.command(short_help="from nothing to one user's best matches")
@click.option("--users", metavar="<n>", type=click.IntRange(1, 1_000_000), default=2000, show_default=True)
@click.option("--seed", metavar="<n>", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True)
def demo(users: int, seed: int) -> int:
    """Fill the database with a synthetic site if it is empty, learn who likes whom, compute everybody's match scores,
    and show what the model is worth, one user's best matches with the reasons, and the distribution of all scores.
    """
    from sitejobs.catalog import JOBS
    from sitejobs_local.commands.common import doing, has_users
    from sitejobs_local.commands.jobs import run
    from sitejobs_local.commands.matches import JOB, show_best, show_distribution, showpiece
    from sitejobs_local.commands.population import fill
    from sitejobs_local.commands.quality import show_worth
    from sitejobs_local.database.target import open_target, prepare_for_population

    console = output()
    # Held throughout, so that the embedded server is started once.
    with ExitStack() as held:
        with doing("starting PostgreSQL"):
            target = held.enter_context(open_target(os.environ))
        with target.connect() as connection:
            prepare_for_population(target, connection)
            empty = not has_users(connection)
        if empty:
            fill(target, users, seed)
        status = run(JOBS[MODEL_JOB], {}) or run(JOBS[JOB], {})
        if status:
            return status
        with target.connect() as connection:
            show_worth(console, connection)
            user_id = showpiece(connection)
            if user_id is not None:
                show_best(console, connection, user_id, 5)
            show_distribution(console, connection)
    if user_id is not None:
        console.print(f"More: sitejobs matches --userId={user_id}", highlight=False)
    return 0
