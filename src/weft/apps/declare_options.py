"""Make commands of functions whose parameters say by their annotations which options they are.

A parameter `depth: Annotated[int | None, option(help="...")] = None` is the option `--depth` with a whole number;
`list[str]` may be given several times, `bool` is a flag. A parameter `context` is click's context. A command is made
when it is asked for: each start needs one of them, and making them all takes longer than importing click.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import click

from weft.base.dataclass import dataclass

Function = TypeVar("Function", bound=Callable[..., "int | None"])


@dataclass(frozen=True, slots=True)
class Option:
    """Be an option: its names, if they are not the parameter's; its help; the bounds of a number."""

    names: tuple[str, ...]
    help: str
    least: int | None
    most: int | None


def option(*names: str, help: str, min: int | None = None, max: int | None = None) -> Option:  # noqa: A002
    """Return an option to annotate a parameter with."""
    return Option(names, help, min, max)


class CommandGroup(click.Group):
    """Be a group whose commands are functions; each returns an exit status, or None for success."""

    def __init__(self, name: str, text: str, params: list[click.Parameter] | None = None) -> None:
        super().__init__(name, help=text, params=params, no_args_is_help=True)
        self._functions: dict[str, tuple[Callable[..., int | None], str]] = {}

    def declare(self, name: str, text: str) -> Callable[[Function], Function]:
        """Return a decorator that adds a function as a command with a help text."""

        def add(function: Function) -> Function:
            self._functions[name] = (function, text)
            return function

        return add

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, in the order in which they were declared; groups come last."""
        return list(dict.fromkeys([*self._functions, *self.commands]))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is none of this name."""
        return self.find(cmd_name)

    def find(self, name: str) -> click.Command | None:
        """Return a command, or None if there is none of this name."""
        if name in self._functions and name not in self.commands:
            self.commands[name] = _make_command(name, *self._functions[name])
        return self.commands.get(name)


def _make_command(name: str, function: Callable[..., int | None], text: str) -> click.Command:
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    params: list[click.Parameter] = [
        _make_option(parameter.name, hints[parameter.name], parameter.default)
        for parameter in parameters.values()
        if parameter.name != "context"
    ]
    callback = click.pass_context(function) if "context" in parameters else function
    return click.Command(name, params=params, callback=callback, help=text)


def _make_option(name: str, annotation: Any, default: object) -> click.Option:
    kind, declared = get_args(annotation)
    kinds = [each for each in get_args(kind) if each is not type(None)]
    if kinds and get_origin(kind) is not list:
        kind = kinds[0]
    several = get_origin(kind) is list
    kind = get_args(kind)[0] if several else kind
    bounded = declared.least is not None or declared.most is not None
    settings: dict[str, Any] = {
        "help": declared.help,
        "multiple": several,
        "required": default is inspect.Parameter.empty,
        "show_default": default not in (None, ""),
    }
    if kind is bool:
        settings["is_flag"] = True
    else:
        settings["type"] = click.IntRange(declared.least, declared.most) if bounded else kind
    if not settings["required"] and not several:
        settings["default"] = default
    return click.Option([name, *(declared.names or (f"--{name.strip('_').replace('_', '-')}",))], **settings)
