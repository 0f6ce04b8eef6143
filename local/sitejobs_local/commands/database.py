"""`sitejobs db`: the database itself."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import click

from sitejobs.errors import InvalidInput

if TYPE_CHECKING:
    from sitejobs_local.database.target import Target


_STATEMENTS: Final = re.compile(r"-[a-zA-Z]*[cf]|--(?:command|file)\b")
"""The options with which psql runs statements and ends."""


@click.group(short_help="url, shell, migrate, roles, reset")
def db() -> None:
    """The embedded database, or the one that DATABASE_URL names."""


@db.command()
def url() -> None:
    """Print the database's address, without a password.

    The embedded server lives as long as a command uses it: in a terminal this one holds it until Ctrl-C, so that
    other programs can connect. Where the output goes elsewhere it prints and ends.
    """
    from sitejobs_local.database.target import open_target, prepare, without_password

    with open_target(os.environ) as target:
        if target.embedded:
            with target.connect() as connection:
                prepare(target, connection, ())
        click.echo(without_password(target.url))
        sys.stdout.flush()
        if not target.embedded:
            return
        if sys.stdout.isatty():
            click.echo("the server runs until Ctrl-C", err=True)
            _hold()
        else:
            click.echo("the server stops now, unless another command holds it: run this in a terminal", err=True)


@db.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def shell(arguments: tuple[str, ...]) -> int:
    """Open psql on the database; arguments are handed on: sitejobs db shell -c 'SELECT 1'."""
    from sitejobs_local.database.target import open_target, prepare

    with open_target(os.environ) as target:
        with target.connect() as connection:
            if target.embedded:
                prepare(target, connection, ())
            takes_settings = not connection.shared
            target = target.settled(connection)
        command, environment = psql_call(target, os.environ, arguments, takes_settings=takes_settings)
        with _deaf_to_interrupts():
            return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603 - psql, as asked for


@db.command()
@click.option("--again", is_flag=True, help="apply those already applied too: brings back what was dropped")
@click.option("--print", "printed", is_flag=True, help="print the SQL for psql instead; asks no database")
@click.option("--schema", metavar="<name>", help="the bundle's schema, made if need be  [default: sitejobs]")
@click.option("--stack", metavar="<name>", help="by a function of this stack on AWS, which reaches its database")
@click.option(
    "--secret", metavar="<arn>", help="with --stack: a login for this call, in a secret named <stack>/owner..."
)
def migrate(again: bool, printed: bool, schema: str | None, stack: str | None, secret: str | None) -> None:
    """Create or update the bundle's own tables. Safe to run twice, and at once.

    They go into a schema of their own, beside the site's; where they are already they stay. The embedded database has
    everything in one.
    """
    from sitejobs.schema.script import script

    if secret is not None and stack is None:
        raise InvalidInput("--secret goes with --stack=<name>: here DATABASE_URL has the login")
    if printed:
        click.echo(script(schema=schema) if schema else script(), nl=False)
        return
    if stack is not None:
        from sitejobs_local.runs import deployed_database

        applied = deployed_database.migrate(stack, secret, again=again, schema=schema)
    else:
        applied = _migrate_here(again, schema)
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("nothing to apply: the bundle's tables are up to date")


def _migrate_here(again: bool, schema: str | None) -> list[str]:
    from sitejobs_local.database import migrations
    from sitejobs_local.database.target import open_target

    with open_target(os.environ) as target, target.leading_to(schema).connect() as connection:
        if target.embedded:
            migrations.apply_site_schema(connection)
        return migrations.apply(connection, again=again, schema=schema)


@db.command()
@click.option("--role", default="sitejobs", show_default=True, help="the role that runs the jobs")
@click.option(
    "--schema",
    "schemas",
    multiple=True,
    help="where the tables are, in order; may be repeated  [default: the path]",
)
@click.option("--iam", is_flag=True, help="on RDS: the role logs in with tokens of IAM, and with no password")
@click.option("--columns", is_flag=True, help="of the site's tables, grant only the columns that the jobs read")
def roles(role: str, schemas: tuple[str, ...], iam: bool, columns: bool) -> None:
    """Print the SQL that lets a role run the jobs, and do nothing else: sitejobs db roles | psql ...

    The database is asked where the tables are, and nothing is changed.
    """
    from sitejobs.catalog import JOBS
    from sitejobs.schema.roles import ground_of, role_script
    from sitejobs_local.database.target import open_target, prepare

    with open_target(os.environ) as target, target.looking_in(schemas).connect() as connection:
        if target.embedded:
            prepare(target, connection, ())
        ground = ground_of(connection)
    click.echo(role_script(role, list(JOBS), ground, with_iam=iam, by_column=columns), nl=False)


@db.command()
@click.option("--yes", is_flag=True, help="do not ask")
def reset(yes: bool) -> None:
    """Delete the embedded database with everything in it."""
    from sitejobs_local.database.postgres import default_home
    from sitejobs_local.database.postgres import reset as reset_cluster

    if os.environ.get("DATABASE_URL"):
        raise InvalidInput("reset is for the embedded database only, and DATABASE_URL is set: unset it first")
    home = default_home(os.environ)
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidInput("this deletes the embedded database: say --yes")
        click.confirm(f"Delete the embedded database in {home}?", abort=True)
    reset_cluster(home)
    for kept in ("work", "work-media"):
        shutil.rmtree(home / kept, ignore_errors=True)
    click.echo("the embedded database is gone; the next command makes a new one")


def psql_call(
    target: "Target", environ: Mapping[str, str], arguments: Sequence[str], *, takes_settings: bool = True
) -> tuple[list[str], dict[str, str]]:
    """The command line and environment in which psql connects to the database.

    The password goes into the environment: everybody on the machine can read an argument. A pooler that takes no
    settings would refuse psql with them: statements and files are run in one transaction that begins with the path.
    """
    from sitejobs_local.database.target import check_url, without_password

    found, first = dict(environ), []
    if password := check_url(target.url).get("password"):
        found["PGPASSWORD"] = password
    if target.search_path and takes_settings:
        escaped = target.search_path.replace("\\", "\\\\").replace(" ", "\\ ")
        found["PGOPTIONS"] = f"-c search_path={escaped}"
    elif target.search_path:
        set_path = f"SET LOCAL search_path TO {target.search_path}"
        if any(map(_STATEMENTS.match, arguments)):
            first = ["-q", "-1", "-c", set_path]
        else:
            note = "a pooler before the database takes no settings: psql looks for tables where the role does"
            click.echo(f"note: {note}, unless you say BEGIN; {set_path};", err=True)
    return [_psql(), "-d", without_password(target.url), *first, *arguments], found


def _psql() -> str:
    """The psql of this machine, else the one that came with the embedded server."""
    from sitejobs_local.database.binaries import binaries, wheel_folder

    return shutil.which("psql") or str(binaries(wheel_folder()) / "psql")


def _hold() -> None:
    """Wait for Ctrl-C."""
    with suppress(KeyboardInterrupt):
        while True:
            signal.pause()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Leave Ctrl-C to the program that runs inside: psql cancels a query.

    By a handler that does nothing: an ignored signal would be inherited.
    """
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
