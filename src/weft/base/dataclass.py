"""Weft's own `dataclass`: classes with slots whose creation costs a fifth of the standard library's.

Weft has 150 such classes and a start imports nearly all of them. The standard decorator writes six methods a class as
text and compiles each, 0.5 ms in all; that was a tenth of the time from source to first cycle of a small processor.
This one shares what can be shared (comparison, hash and text go through one `attrgetter`), and compiles the one method
whose text matters, `__init__`, when the first instance is made.

It takes the options that Weft uses, with the standard's meaning: `frozen`, `eq`, and `slots`, which must be given; no
inheritance of fields; and private fields are not shown. Type checkers see an ordinary dataclass (PEP 681).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import Any, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T")

_NOTHING: Any = object()


class FrozenInstanceError(AttributeError):
    """Say that somebody assigns to a field of a frozen instance."""


class _Field:
    """Be what a class body has for a field until the class is made."""

    __slots__ = ("factory", "init")

    def __init__(self, factory: Callable[[], Any] | None, init: bool) -> None:
        self.factory, self.init = factory, init


def field(*, default_factory: Callable[[], Any] | None = None, init: bool = True) -> Any:
    """Give a field a default that is made anew for each instance, or (not `init`) leave it to `__post_init__`."""
    return _Field(default_factory, init)


@dataclass_transform(field_specifiers=(field,))
def dataclass(*, slots: bool, frozen: bool = False, eq: bool = True) -> Callable[[type[T]], type[T]]:
    """Return a decorator that makes a class of annotated fields."""
    assert slots, "Weft's dataclasses have slots"

    def decorate(cls: type[T]) -> type[T]:
        return _make_class(cls, frozen, eq)

    return decorate


def fields(thing: object) -> tuple[str, ...]:
    """Return the names of the fields that make an instance of a dataclass, in order."""
    return thing.__match_args__  # type: ignore[attr-defined]


def asdict(thing: object) -> dict[str, Any]:
    """Return the fields of an instance by name; their values are not copied."""
    return {name: getattr(thing, name) for name in fields(thing)}


def replace(thing: T, **changes: Any) -> T:
    """Return a copy with some fields changed."""
    values = asdict(thing)
    unknown = changes.keys() - values.keys()
    if unknown:
        raise TypeError(f"{type(thing).__name__} has no field {', '.join(sorted(unknown))}")
    return type(thing)(**(values | changes))


def _make_class(cls: type[T], frozen: bool, eq: bool) -> type[T]:
    """Return the class anew, with slots and methods."""
    body = dict(cls.__dict__)
    annotations: dict[str, str] = body.get("__annotations__", {})
    names = tuple(name for name, kind in annotations.items() if "ClassVar[" not in str(kind))
    defaults = {name: body.pop(name) for name in names if name in body}
    for name in ("__dict__", "__weakref__"):
        body.pop(name, None)
    parameters = tuple(name for name in names if getattr(defaults.get(name), "init", True))
    body |= {"__slots__": names, "__match_args__": parameters}
    body.setdefault("__repr__", _repr)
    getter = _values_getter(names)
    if eq:
        body["__eq__"] = _equality(getter)
        body["__hash__"] = _hash(getter) if frozen else None
    if frozen:

        def reduce(self: object) -> tuple[Any, Any]:
            # Made again by calling the class, which is faster than filling an empty instance.
            return made, getter(self)

        body |= {"__setattr__": _refuse, "__delattr__": _refuse, "__reduce__": reduce}
    made: Any = type(cls)(cls.__name__, cls.__bases__, body)
    made.__init__ = _late_init(made, names, defaults, frozen)
    return made


def _values_getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that returns the values of all fields."""
    if len(names) > 1:
        get = attrgetter(*names)
        return lambda self: get(self)
    if not names:
        return lambda self: ()
    (name,) = names
    return lambda self: (getattr(self, name),)


def _equality(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any, Any], Any]:
    def equal(self: Any, other: Any) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return equal


def _hash(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any], int]:
    return lambda self: hash(values(self))


@recursive_repr()
def _repr(self: Any) -> str:
    text = ", ".join(f"{name}={getattr(self, name)!r}" for name in fields(self) if name[0] != "_")
    return f"{self.__class__.__qualname__}({text})"


def _refuse(self: object, name: str, *_: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field '{name}' of a {type(self).__name__}")


def _late_init(cls: Any, names: tuple[str, ...], defaults: dict[str, Any], frozen: bool) -> Callable[..., None]:
    """Return an `__init__` that compiles the real one and puts it in its own place."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        cls.__init__ = _compile_init(cls, names, defaults, frozen)
        self.__init__(*args, **kwargs)

    return __init__


def _compile_init(cls: Any, names: tuple[str, ...], defaults: dict[str, Any], frozen: bool) -> Callable[..., None]:
    """Return the real `__init__`; a frozen class fills its slots through their descriptors."""
    scope: dict[str, Any] = {"_nothing": _NOTHING}
    parameters: list[str] = []
    lines: list[str] = []
    for name in names:
        value, default = name, defaults.get(name)
        if name not in defaults:
            parameters.append(name)
        elif isinstance(default, _Field):
            if not default.init:
                continue
            scope[f"_make_{name}"] = default.factory
            parameters.append(f"{name}=_nothing")
            value = f"_make_{name}() if {name} is _nothing else {name}"
        else:
            scope[f"_default_{name}"] = default
            parameters.append(f"{name}=_default_{name}")
        if frozen:
            scope[f"_set_{name}"] = cls.__dict__[name].__set__
            lines.append(f" _set_{name}(self, {value})")
        else:
            lines.append(f" self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    exec("\n".join([f"def __init__({', '.join(['self', *parameters])}):", *lines, " pass"]), scope)
    return scope["__init__"]
