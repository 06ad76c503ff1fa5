"""Choose which parts of a design run as regions, and make the design that is left to the event engine.

From the tops down, each instance is a region if its module and all below it can be in one (`module_reasons`), if that
is worth a compilation, and if it builds; else what is inside it is tried. So regions are as large as they can be. A
module is a region in all its instances that are not inside another region. Of what is left of a module, the clocked
parts become one region together if nobody can look at what is inside (`group_siblings`).
"""

from __future__ import annotations

from collections import Counter

from weft.base.dataclass import dataclass, field, replace
from weft.base.errors import Unsupported, UserError, WeftError
from weft.base.recursion import deep_recursion
from weft.ir.design import Design, Module
from weft.ir.walk import statements_in
from weft.sim.regions.build_region import RegionBuilder, modules_below
from weft.sim.regions.group_siblings import (
    Group,
    group_siblings,
    late_outputs,
    reached_outputs,
    surely_late_outputs,
)
from weft.sim.regions.mixed_design import WORTH, BuiltRegion, MixedDesign, Part, Reason
from weft.sim.regions.module_reasons import is_clocked, own_reason, reached_modules, refused


def mix_design(design: Design, worth: int = WORTH, whole: bool = True) -> MixedDesign:
    """Return a design with its regions taken out; they keep what no output depends on if they are to be `whole`."""
    try:
        with deep_recursion():
            return _Mixer(design, worth, whole).mix()
    except WeftError as error:
        error.sources = error.sources or design.sources
        raise


def demand_regions(mixed: MixedDesign) -> MixedDesign:
    """Raise `Unsupported` for the first part that runs as events for another reason than that nothing else can."""
    for part in mixed.parts:
        if part.engine == "event" and not part.reason.testbench:
            what = f"{part.reason.text}, in '{part.path}' with --engine=cycle,"
            raise Unsupported(what, part.reason.span, sources=mixed.design.sources)
    return mixed


def _count_places(design: Design) -> Counter[Module]:
    """Return how many instances each module has in the whole design."""
    found: Counter[Module] = Counter()
    for _, top in (*design.packages, *design.tops):
        counts = Counter({top: 1})
        for module in reversed(modules_below(top)):
            for instance in module.instances:
                counts[instance.module] += counts[module]
        found += counts
    return found


@dataclass(slots=True, eq=False)
class _Mixer:
    design: Design
    worth: int
    whole: bool
    builder: RegionBuilder = field(init=False)
    reached: dict[Module, Reason] = field(init=False)
    _own: dict[Module, Reason | None] = field(default_factory=dict[Module, "Reason | None"])
    _whole: dict[Module, Reason | None] = field(default_factory=dict[Module, "Reason | None"])
    _weights: dict[Module, int] = field(default_factory=dict[Module, int])
    _built: dict[Module, BuiltRegion] = field(default_factory=dict[Module, BuiltRegion])
    _new: dict[Module, Module] = field(default_factory=dict[Module, Module])
    _groups: dict[Module, Group] = field(default_factory=dict[Module, Group])
    _places: Counter[Module] = field(init=False)

    def __post_init__(self) -> None:
        self.builder = RegionBuilder(self.design, self.whole)
        self.reached = reached_modules(self.design)
        self._places = _count_places(self.design)

    def mix(self) -> MixedDesign:
        """Choose, build and replace."""
        result = MixedDesign(self.design)
        tops = [(name, self._replaced(module)) for name, module in self.design.tops]
        if not self._built:
            self._report(result)
            return result
        modules: dict[Module, None] = {}
        for _, module in tops:
            modules.update(dict.fromkeys(modules_below(module)))
        result.design = replace(self.design, tops=tops, modules=list(modules))
        result.regions = {built.stub: built for built in self._built.values()}
        self._report(result)
        return result

    # ------------------------------------------------------------------------------------------- choice

    def _replaced(self, module: Module) -> Module:
        """Return what stands for a module that is no region itself, with regions among its instances."""
        new = self._new.get(module)
        if new is None:
            around = self._around_group(module)
            instances = [replace(each, module=self._placed(each.module)) for each in around.instances]
            same = all(a.module is b.module for a, b in zip(instances, around.instances, strict=True))
            new = self._new[module] = around if same else replace(around, instances=instances)
        return new

    def _around_group(self, module: Module) -> Module:
        """Return what is left of a module whose clocked parts become one region, or the module."""
        if self.whole or module in self.reached or self._weight(module) < self.worth:
            return module
        outside: set[str] = set()
        while True:
            group = group_siblings(module, lambda inside: self._joins(module, inside), outside)
            if group is None:
                return module
            unfit = surely_late_outputs(group.module)
            if not unfit:
                built = self._build(group.module)
                if built is None:
                    return module
                unfit = reached_outputs(built) or late_outputs(built, group.module)
                if not unfit:
                    self._groups[module] = group
                    return group.around
                del self._built[group.module]
            outside |= unfit

    def _joins(self, module: Module, inside: Module) -> bool:
        """Say whether an instance of a module may be in a group: one that is a region alone shares its code."""
        below = modules_below(inside)
        if any(self._reason_of(each) is not None for each in below) or not any(map(is_clocked, below)):
            return False
        return self._weight(inside) < self.worth or self._places[inside] == 1

    def _placed(self, module: Module) -> Module:
        """Return the stub of a module, or what stands for it."""
        built = self._build(module)
        return built.stub if built is not None else self._replaced(module)

    def _build(self, module: Module) -> BuiltRegion | None:
        """Return a module as a region, if it is one."""
        built = self._built.get(module)
        if built is None and self._reason(module) is None:
            try:
                built = self._built[module] = self.builder.build(module)
            except Unsupported as refusal:
                self._whole[module] = refused(refusal)
            except UserError as error:
                self._whole[module] = Reason(error.message, error.span)
        return built

    def _reason(self, module: Module) -> Reason | None:
        """Return why a module is no region, as far as that is known without building it."""
        if module not in self._whole:
            below = modules_below(module)
            found = next((reason for each in reversed(below) if (reason := self._reason_of(each)) is not None), None)
            if found is None and not any(map(is_clocked, below)):
                found = Reason("nothing in it waits for a clock edge")
            if found is None and self._weight(module) < self.worth:
                found = Reason("too small to gain")
            self._whole[module] = found
        return self._whole[module]

    def _reason_of(self, module: Module) -> Reason | None:
        if module not in self._own:
            self._own[module] = own_reason(module) or self.reached.get(module)
        return self._own[module]

    def _weight(self, module: Module) -> int:
        weight = self._weights.get(module)
        if weight is None:
            weight = len(module.assigns) + sum(self._weight(instance.module) for instance in module.instances)
            weight += sum(1 for process in module.processes for _ in statements_in(process.body))
            self._weights[module] = weight
        return weight

    # ------------------------------------------------------------------------------------------- report

    def _report(self, result: MixedDesign) -> None:
        def visit(path: str, module: Module) -> None:
            if module in self._built:
                result.parts.append(Part(path, module.name, "cycle", Reason(self._stepped(module))))
                return
            reason = self._reason_of(module)
            if reason is None and any(each.module not in self._built for each in module.instances):
                reason = Reason("there are events in it", testbench=True)
            reason = reason or self._whole.get(module) or Reason("a top of the design", testbench=True)
            result.parts.append(Part(path, module.name, "event", reason))
            group = self._groups.get(module)
            for instance in module.instances:
                below = f"{path}.{instance.name}"
                if group is not None and instance in group.instances:
                    reason = Reason(f"{self._stepped(group.module)}, with its siblings")
                    result.parts.append(Part(below, instance.module.name, "cycle", reason))
                else:
                    visit(below, instance.module)

        for name, module in self.design.tops:
            visit(name, module)

    def _stepped(self, module: Module) -> str:
        triggers = self._built[module].region.triggers
        edges = sorted({f"{edge} {signal.name}" for trigger in triggers for signal, edge in trigger.edges})
        return f"stepped by {', '.join(edges)}"
