"""`crmmail completion bash|zsh|fish`: the script that makes the shell complete commands, options and record numbers."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from crmmail.cli.command import command

SHELLS = ("bash", "zsh", "fish")


@command(
    "completion",
    examples=(
        'eval "$(crmmail completion bash)"          # in ~/.bashrc',
        'eval "$(crmmail completion zsh)"           # in ~/.zshrc',
        "crmmail completion fish > ~/.config/fish/completions/crmmail.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    """The completion script for your shell.

    Record numbers are completed with their titles.
    """
    from crmmail.cli.main import COMPLETE

    maker = get_completion_class(shell)
    assert maker is not None
    script = maker(context.find_root().command, {}, "crmmail", COMPLETE)
    # Not `source()`: for bash it first runs the bash it finds, to ask for its version.
    click.echo(script.source_template % script.source_vars())
