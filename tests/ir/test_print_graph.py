"""The text form: what it looks like."""

from collections.abc import Callable

from random_graphs import random_graph
from weft.ir.print_graph import print_graph


def test_the_text_of_a_graph(golden: Callable[[str, str], None]):
    golden("two_state.graph", print_graph(random_graph(7, 25)))
    golden("four_state.graph", print_graph(random_graph(8, 25, four_state=True)))
