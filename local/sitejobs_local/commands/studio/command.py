"""The command: starts the page's server on loopback and opens a browser."""

import os
import sys
import webbrowser

import click

from sitejobs.errors import InvalidInput
from sitejobs_local.commands.common import prepared

PORT = 4747
JOB = "match-scores"
"""Whose tables must be there; what other jobs have not stored yet is told so."""


@click.command(short_help="a local page: runs, users, feeds, search, uploads")
@click.option(
    "--port",
    metavar="<n>",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="where it listens on this machine; 0 takes a free one",
)
@click.option("--no-open", is_flag=True, help="print the address and open no browser")
def studio(port: int, no_open: bool) -> int:
    """Show runs, users with their matches and feeds, search, uploads and the quality of the model in a browser.

    The page is served to this machine alone, to whoever has the address that is printed. It reads only. Ctrl-C ends it.
    """
    from sitejobs_local.commands.studio.reader import Reader
    from sitejobs_local.commands.studio.server import serve

    with prepared(JOB) as (target, _), Reader(target) as reader:
        try:
            server = serve(port, reader)
        except OSError as error:
            raise InvalidInput(f"--port: {port} cannot be used: {error.strerror}; --port=0 takes a free one") from None
        try:
            click.echo(f"{server.address}  (Ctrl-C ends it)")
            if not no_open and _has_screen():
                webbrowser.open(server.address)
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
        finally:
            server.server_close()
    return 0


def _has_screen() -> bool:
    """Whether a browser would have a window: one that runs in the terminal would take its place."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
