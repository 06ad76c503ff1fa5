"""The prompt that `$stop` opens at a terminal: look at the design, step, go on or end.

Commands may be shortened as long as they are clear. The end of input continues the run, as in vvp.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TextIO

_HELP = """cont          go on
step [N]      go on for one statement, or for N
print NAME... show the values of signals of this scope, or of a path from the top
scope [PATH]  go to a scope: a name inside this one, .. for the one around, a path from the top; without, list
where         show the scope and the processes that wait
time          show the time
finish        end the simulation
help          show this
"""
_COMMANDS = ("cont", "step", "print", "scope", "where", "time", "finish", "help")
_SYNONYMS = {"list": "scope", "ls": "scope", "cd": "scope", "quit": "finish", "exit": "finish", "?": "help"}


class StoppedSimulation(Protocol):
    """Be what the prompt can ask of a simulation that has stopped."""

    def time_text(self) -> str:
        """Return the time as people read it."""
        ...

    def scopes(self, path: str) -> Sequence[str] | None:
        """Return the names of the scopes inside a path (empty: the tops), or None if it is no scope."""
        ...

    def signals(self, path: str) -> Sequence[str]:
        """Return the names of the signals in a scope."""
        ...

    def value_text(self, path: str) -> str | None:
        """Return the value of a signal, an element or bits of one as text, or None if there is no such signal."""
        ...

    def processes(self) -> Iterable[str]:
        """Return a line for each process: where it is, and what it waits for."""
        ...

    def step(self, count: int) -> str | None:
        """Run so many statements; return where the last one is, or None if the simulation has ended."""
        ...


class StopPrompt:
    """Read commands until one ends the prompt; `scope` is the path that names are relative to."""

    def __init__(self, simulation: StoppedSimulation, scope: str, read: Callable[[str], str], out: TextIO) -> None:
        self.simulation, self.scope, self._read, self._out = simulation, scope, read, out

    def run(self) -> bool:
        """Talk with the user; return whether the simulation is to go on."""
        self._say(f"stopped at {self.simulation.time_text()} in {self.scope}; 'help' lists the commands")
        while True:
            try:
                words = self._read("weft> ").split()
            except EOFError:
                self._say("")
                return True
            except KeyboardInterrupt:
                self._say("")
                continue
            if not words:
                continue
            going = self._command(words[0], words[1:])
            if going is not None:
                return going

    def _say(self, text: str) -> None:
        print(text, file=self._out)

    def _command(self, word: str, arguments: list[str]) -> bool | None:
        """Do a command; return whether to go on, or None to ask again."""
        names = [_SYNONYMS[word]] if word in _SYNONYMS else [name for name in _COMMANDS if name.startswith(word)]
        if len(names) != 1:
            known = " or ".join(names) or "'help' lists the commands"
            self._say(f"'{word}' is no command" if not names else f"'{word}' may be {known}")
            return None
        match names[0]:
            case "cont":
                return True
            case "finish":
                return False
            case "step":
                return self._step(arguments)
            case "print":
                self._print(arguments)
            case "scope":
                self._go(arguments)
            case "where":
                self._say(self.scope)
                for line in self.simulation.processes():
                    self._say(f"  {line}")
            case "time":
                self._say(self.simulation.time_text())
            case _:
                self._out.write(_HELP)
        return None

    def _step(self, arguments: list[str]) -> bool | None:
        if arguments and not (arguments[0].isdigit() and int(arguments[0]) > 0):
            self._say(f"'{arguments[0]}' is no number of statements")
            return None
        place = self.simulation.step(int(arguments[0]) if arguments else 1)
        if place is None:
            self._say("the simulation has ended")
            return True
        self._say(f"{self.simulation.time_text()}: {place}")
        return None

    def _print(self, names: list[str]) -> None:
        chosen = names or list(self.simulation.signals(self.scope))
        for name in chosen:
            inside = f"{self.scope}.{name}" if self.scope else name
            value = self.simulation.value_text(inside)
            if value is None:
                value = self.simulation.value_text(name)
            self._say(f"{name} = {value}" if value is not None else f"there is no signal '{name}' in {self.scope}")

    def _go(self, arguments: list[str]) -> None:
        if arguments:
            path = self._resolve(arguments[0])
            if path is None:
                self._say(f"there is no scope '{arguments[0]}' in {self.scope}")
                return
            self.scope = path
        self._say(self.scope or "(the top)")
        for name in self.simulation.scopes(self.scope) or ():
            self._say(f"  {name}/")
        for name in self.simulation.signals(self.scope) if self.scope else ():
            self._say(f"  {name}")

    def _resolve(self, text: str) -> str | None:
        """Return the path that a text means from here, or None."""
        if text in ("/", "$root"):
            return ""
        if text == "..":
            return self.scope.rpartition(".")[0]
        inside = f"{self.scope}.{text}" if self.scope else text
        return next((path for path in (inside, text) if self.simulation.scopes(path) is not None), None)
