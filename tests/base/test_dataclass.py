"""Weft's dataclasses behave like the standard library's where Weft uses them."""

import copy
import dataclasses
import pickle
from typing import Any, ClassVar

import pytest

from weft.base.dataclass import FrozenInstanceError, asdict, dataclass, field, fields, replace


@dataclass(frozen=True, slots=True)
class Point:
    """Be a place."""

    dimensions: ClassVar[int] = 2

    x: int
    y: int = 0
    labels: tuple[str, ...] = ()

    def moved(self, by: int) -> "Point":
        return replace(self, x=self.x + by)


@dataclass(slots=True)
class Bag:
    """Hold things."""

    things: list[int] = field(default_factory=list[int])
    name: str = "bag"
    late: int = field(init=False)
    _secret: int = 7

    def __post_init__(self) -> None:
        self.late = len(self.things)


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """Be itself."""

    value: int


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    x: int
    y: int = 0
    labels: tuple[str, ...] = ()


def test_frozen_instances_compare_hash_and_match_like_the_standard_ones():
    point, same, other = Point(1, 2, ("a",)), Point(x=1, y=2, labels=("a",)), Point(1)
    assert point == same and hash(point) == hash(same) == hash(Standard(1, 2, ("a",)))
    assert point != other and point != Standard(1, 2, ("a",)) and point != (1, 2, ("a",))
    assert repr(point) == repr(Standard(1, 2, ("a",))).replace("Standard", "Point")
    match other:
        case Point(x, y):
            assert (x, y) == (1, 0)
    for break_it in (lambda: setattr(point, "x", 3), lambda: delattr(point, "x")):
        with pytest.raises(FrozenInstanceError, match="'x'"):
            break_it()
    assert point.x == 1 and Point.dimensions == 2 and Point.__doc__ == "Be a place."
    with pytest.raises(AttributeError):
        object.__setattr__(point, "unknown", 1)


def test_replace_names_and_copies():
    point = Point(1, 2)
    assert point.moved(4) == Point(5, 2) and point == Point(1, 2)
    assert fields(point) == ("x", "y", "labels") and asdict(point) == {"x": 1, "y": 2, "labels": ()}
    with pytest.raises(TypeError, match="z"):
        replace(point, z=1)
    assert pickle.loads(pickle.dumps(point)) == copy.deepcopy(point) == point


def test_defaults_are_made_anew_and_fields_can_be_set_later():
    one, two = Bag(), Bag([1, 2])
    one.things.append(5)
    assert Bag().things == [] and (one.late, two.late) == (0, 2)
    assert repr(two) == "Bag(things=[1, 2], name='bag')"
    assert Bag([1]) == Bag([1]) != Bag([2]) and pickle.loads(pickle.dumps(two)) == two
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


@pytest.mark.parametrize("arguments", [(), (1, 2, (), 3)])
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...]):
    with pytest.raises(TypeError):
        Point(*arguments)
    with pytest.raises(TypeError):
        Point(1, depth=3)  # pyright: ignore[reportCallIssue]


def test_identity_classes_keep_their_identity():
    token = Token(1)
    assert token != Token(1) and hash(token) != hash(Token(1)) and token == token
    assert Token.__init__.__code__.co_varnames[:2] == ("self", "value")  # the real one has taken its place
