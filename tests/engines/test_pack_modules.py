"""Functions in modules: each module declares what it uses of the others, and nothing twice."""

from __future__ import annotations

from weft.engines.cpu.jit import START, Compiler, Library
from weft.engines.event.pack_modules import pack_modules


def test_modules_compile_and_link() -> None:
    filler = "\n".join(f"  %t{i} = add i64 %x, {i}" for i in range(4000))
    bodies = [
        "define i64 @first(i64 %x, double %y) nounwind {\n"
        + filler
        + "\n  %r = call i64 @last(i64 %x)\n  ret i64 %r\n}",
        "define i64 @middle(i64 %x) nounwind {\n" + filler + "\n  ret i64 %t3\n}",
        "define i64 @last(i64 %x) nounwind {\n  %r = call i64 @llvm.ctpop.i64(i64 %x)\n  ret i64 %r\n}",
    ]
    modules = pack_modules(
        bodies, {"llvm.ctpop.i64": "declare i64 @llvm.ctpop.i64(i64)", "unused": "declare void @unused()"}
    )
    assert len(modules) == 2
    assert "declare i64 @last(i64)" in modules[0]
    assert not any("@unused" in module for module in modules)
    compiler = Compiler()
    library = Library([compiler.object(module, START) for module in modules], ["first", "middle", "last"])
    assert len(set(library.addresses.values())) == 3
