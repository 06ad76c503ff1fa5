"""Put what `weft COMMAND --help` prints where a page says `::: help COMMAND`: a hook of MkDocs."""

from __future__ import annotations

import re

import click
from click.testing import CliRunner

from weft.apps.cli import group

_PLACE = re.compile(r"^::: help (.*)$", re.M)


def help_text(words: str) -> str:
    """Return the help of a command; no words: that of `weft` itself."""
    result = CliRunner().invoke(group, [*words.split(), "--help"], prog_name="weft", env={"COLUMNS": "100"})
    if result.exit_code:
        raise ValueError(f"'weft {words} --help' failed: {result.output}")
    return result.output.strip()


def commands() -> list[str]:
    """Return the names of all commands, those in groups with their group's."""
    found: list[str] = []
    context = click.Context(group)
    stack: list[tuple[str, click.Command]] = [("", group)]
    while stack:
        path, command = stack.pop()
        names = command.list_commands(context) if isinstance(command, click.Group) else []
        for name in sorted(names, reverse=True):
            inner = command.get_command(context, name) if isinstance(command, click.Group) else None
            if inner is not None:
                stack.append((f"{path} {name}".strip(), inner))
        if path:
            found.append(path)
    return found


def on_page_markdown(markdown: str, **_: object) -> str:
    """Fill in the help texts of a page."""
    return _PLACE.sub(lambda match: f"```text\n{help_text(match[1].strip())}\n```", markdown)
