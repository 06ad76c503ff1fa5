"""Commands made of functions with annotated parameters."""

from __future__ import annotations

from typing import Annotated

import click
import pytest
from click.testing import CliRunner

from weft.apps.declare_options import CommandGroup, option

group = CommandGroup("tool", "A tool.")


@group.declare("show", "Show things.")
def show(
    context: click.Context,
    count: Annotated[int, option(min=1, help="How many.")],
    name: Annotated[str, option(help="A name.")] = "",
    depth: Annotated[int | None, option("-d", "--depth", help="How deep.")] = None,
    set_: Annotated[list[str] | None, option(help="Values.")] = None,
    fast: Annotated[bool | None, option("--fast/--no-fast", help="Be fast, or not.")] = None,
    quiet: Annotated[bool, option("--quiet", "-q", help="Say nothing.")] = False,
) -> int:
    """Print what there is."""
    print(context.info_name, count, repr(name), depth, list(set_ or ()), fast, quiet)
    return 7


@group.declare("other", "Do something else.")
def other() -> None:
    """Print a word."""
    print("other")


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ("--count 2", "show 2 '' None [] None False"),
        ("--count=2 -d3 --name x", "show 2 'x' 3 [] None False"),
        ("--count 2 --depth 4 --set a --set b=1 --fast -q", "show 2 '' 4 ['a', 'b=1'] True True"),
        ("--count 2 --no-fast", "show 2 '' None [] False False"),
    ],
)
def test_options_have_the_types_of_their_annotations(words: str, printed: str) -> None:
    assert CliRunner().invoke(group, ["show", *words.split()]).output == f"{printed}\n"


def test_what_a_command_returns_is_its_status() -> None:
    assert group(["show", "--count", "1"], standalone_mode=False) == 7
    assert group(["other"], standalone_mode=False) is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show"], "Missing option '--count'"),
        (["show", "--count", "0"], "Invalid value for '--count'"),
        (["show", "--count", "x"], "Invalid value for '--count'"),
        (["shw"], "No such command 'shw'"),
    ],
)
def test_bad_words_are_told(words: list[str], message: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        group(words, standalone_mode=False)
    assert message in caught.value.format_message()


def test_help_shows_defaults_that_say_something() -> None:
    text = CliRunner().invoke(group, ["show", "--help"]).output
    assert "[x>=1; required]" in text
    assert text.count("default") == 0
    listed = CliRunner().invoke(group, ["--help"]).output
    assert listed.index("show") < listed.index("other")


def test_a_command_is_made_when_it_is_asked_for() -> None:
    lazy = CommandGroup("tool", "A tool.")
    lazy.declare("other", "Do something else.")(other)
    assert not lazy.commands
    assert lazy.find("other") is lazy.find("other")
    assert lazy.find("more") is None
    assert list(lazy.commands) == ["other"]
