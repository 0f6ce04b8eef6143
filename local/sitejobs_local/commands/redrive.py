"""`sitejobs redrive`: put back what a stack could not do."""

import click


@click.command(short_help="put back what a stack on AWS could not do")
@click.option("--stack", metavar="<name>", required=True, help="the deployed stack of this name")
def redrive(stack: str) -> None:
    """Put back on what it was meant for what is in the dead-letter queues of a stack on AWS.

    Uploads go back to their queue, ends of executions to the function that records them, and events that could not be
    delivered to the target of their rule. Mend the cause first: what fails again comes back.
    """
    from functools import cache

    import boto3

    from sitejobs_local.runs.deployed import told
    from sitejobs_local.runs.redrive import redrive as put_back

    @cache
    def client(service: str) -> object:
        with told(f"a client of {service}"):
            return boto3.client(service)

    done = put_back(stack, client)
    click.echo(
        f"uploads on their way back: {done.uploads}; ends of executions given again: {done.endings};"
        f" events given again: {done.events}"
    )
    if done.left:
        click.echo(f"left since they name no target: {done.left}", err=True)
