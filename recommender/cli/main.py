"""The command `recommend-sidecars`; a subcommand is a module, imported when it is used."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Final, TextIO

import click

from recommender.errors import RecommenderError

DONE, FAILED = 0, 2
_NEW_OBJECTS: Final = 20_000
"""How many more objects there may be before Python looks for garbage among them."""
_COMMANDS = {
    "discovery-selectors": "Find idle namespaces, and selectors that hide them from istiod.",
    "flows": "Print who called whom.",
    "recommend": "Write a minimal Sidecar per workload.",
    "size": "Estimate what the Sidecars save.",
}


class _Commands(click.Group):
    """List the commands by name and import one when it is asked for: a quick `--help`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(import_module(f"recommender.cli.{name}"), name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="recommend-sidecars", prog_name="recommend-sidecars")
def cli() -> None:
    """Derive a minimal Istio Sidecar per workload from Envoy access logs.

    Exit status: 0 done, 2 the job could not be done.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; errors become one sentence on stderr."""
    collect_rarely()
    _open_what_is_closed()
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        # A terminal may not have the letters of a host name or a dash: better escaped than not.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run(given)
    except OSError as error:
        _drop_the_rest(sys.stdout)
        if isinstance(error, BrokenPipeError):  # whoever reads the output has seen enough
            return DONE
        return _failed(f"recommend-sidecars: cannot print the result: {error.strerror}")


def _run(given: Sequence[str]) -> int:
    """Run the command line and return its exit status.

    Raises:
        OSError: The result cannot be printed.
    """
    try:
        status = cli.main(given, prog_name="recommend-sidecars", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return FAILED
    except click.ClickException as error:
        return _failed(error)
    except click.Abort:
        return _failed("stopped")
    except RecommenderError as error:
        return _failed(f"recommend-sidecars: {printable(str(error))}")
    return status if isinstance(status, int) else DONE


def _failed(why: str | click.ClickException) -> int:
    """Say on standard error why the job failed; where nobody can be told, the status alone does."""
    try:
        if isinstance(why, str):
            click.echo(why, err=True)
        else:
            why.show()
    except OSError:
        _drop_the_rest(sys.stderr)
    return FAILED


def collect_rarely() -> None:
    """Let Python look for objects that hold each other less often than after every 700 new ones.

    A mesh and what is made of it are millions of objects, of which hardly any do: looking through
    them took an eighth of the time, and freed nothing.
    """
    gc.set_threshold(_NEW_OBJECTS)


def _open_what_is_closed() -> None:
    """Open the null device for standard streams that the caller closed: Python has none then."""
    for stream, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, stream) is None:
            null = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - to the end
            setattr(sys, stream, null)


def _drop_the_rest(stream: TextIO) -> None:
    """Leave nothing to flush to a broken standard stream: Python would end with status 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def printable(text: str) -> str:
    """Escape what a terminal could obey or show wrongly: names come from strangers."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


if __name__ == "__main__":
    sys.exit(main())
