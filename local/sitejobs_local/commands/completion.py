"""`sitejobs completion`: what a shell needs to complete jobs, commands, options and names of jobs."""

import click


@click.command(short_help="a script that lets bash, zsh or fish complete words")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that lets SHELL complete jobs, commands, options and names of jobs.

    For one session, or as a line of ~/.bashrc or ~/.zshrc: eval "$(sitejobs completion bash)". For fish:
    sitejobs completion fish > ~/.config/fish/completions/sitejobs.fish
    """
    from sitejobs_local.commands.shells import script

    click.echo(script(shell, context.find_root().command), nl=False)
