"""From source files to a `Design`: slang's driver parses and elaborates, its diagnostics become ours.

slang prints what is wrong with options and files to the standard error by itself; that text is caught and becomes the
error's. What is wrong with the source comes as diagnostics, which its own client renders with source line and caret.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyslang
from pyslang import ast, syntax
from pyslang.driver import Driver

from weft.base.dataclass import dataclass, field, replace
from weft.base.errors import InternalError, Unsupported, UserError, WeftError
from weft.base.recursion import deep_recursion
from weft.ir.design import Design
from weft.lang.sv.build_module import build_module, declare_module
from weft.lang.sv.classes import class_of, is_built_in
from weft.lang.sv.elaboration import Elaboration
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.lang.sv.functions import convert_function
from weft.lang.sv.rewrite_local_arguments import LOCAL_ARGUMENT, rewrite_local_arguments
from weft.lang.sv.rewrite_randsequence import rewrite_randsequence
from weft.lang.sv.rewrite_statics import StaticRewriter
from weft.lang.sv.source_index import SourceIndex
from weft.lang.sv.system_calls import add_system_functions

_LISTED = 20
"""How many modules an error lists."""

_FORGIVING = "--allow-use-before-declare"
"""Lets a name be used above its declaration (IEEE 1800-2023 6.21 forbids it), as most tools do.

It also lets a later declaration hide an outer one that is meant by the standard (23.9), so it is used only for sources
that need it.
"""

_VERILOG_KEYWORDS = ("--map-keyword-version", "1364-2005+...*.v")

_REAL_NET = re.compile(r"(short)?real(time)?\b")

_RANDSEQUENCE = re.compile(r"\brandsequence\b")

_DEPTH = 50_000
"""How deeply Python functions may call each other here: slang's parser goes 5,000 levels down, at a few calls each."""


def load_design(
    files: Sequence[str | Path] = (),
    options: FrontEndOptions | None = None,
    texts: Mapping[str, str] | None = None,
) -> Design:
    """Parse and elaborate source files, and sources given as text under a name, into a design.

    Files with errors that are named as Verilog (`.v`) are read once more with Verilog's keywords only, because they may
    use a word such as `expect` or `bit` as a name.

    Raises UserError `source-errors`, `no-such-file`, `no-top` or `bad-option`, or Unsupported.
    """
    options = options or FrontEndOptions()
    try:
        return _load(files, options, texts)
    except UserError as error:
        names = [*map(str, files), *options.library_files, *options.arguments, *(texts or {})]
        chosen = any(word.startswith(("--std", "--map-keyword-version")) for word in options.arguments)
        if error.code != "source-errors" or chosen or not any(name.endswith(".v") for name in names):
            raise
        try:
            return _load(files, replace(options, arguments=(*options.arguments, *_VERILOG_KEYWORDS)), texts)
        except UserError:
            raise error from None


def _load(files: Sequence[str | Path], options: FrontEndOptions, texts: Mapping[str, str] | None) -> Design:
    for file in files:
        if not Path(file).is_file():
            raise UserError("no-such-file", f"cannot read source file '{file}'")
    driver, warnings = _create_driver([str(file) for file in files], options, bool(texts))
    trees = _parse(driver, texts or {})
    compilation = _compile(driver, trees)
    if any(found.code == pyslang.Diags.UsedBeforeDeclared for found in compilation.getAllDiagnostics()):
        driver.parseCommandLine(f"weft {_FORGIVING}")
        compilation = _compile(driver, trees)
    report = _report(driver, compilation)
    index = SourceIndex(driver.sourceManager)
    written, kept = [*driver.syntaxTrees, *trees], list[object]()
    if not report.errors and report.skipped:
        statics = StaticRewriter(index)
        written = statics.rewrite(written, report.skipped)
        compilation, kept = _compile_again(driver, written), statics.kept
        report = _report(driver, compilation, statics)
    if not report.errors and options.assertions != "off" and index.mentions("local", LOCAL_ARGUMENT):
        written, more = rewrite_local_arguments(written, index)
        compilation = _rewritten(driver, written, "local arguments")
        kept += more
    if not report.errors and index.mentions("randsequence", _RANDSEQUENCE):
        compilation, more = _without_randsequence(driver, written, index)
        kept += more
    tops = list(compilation.getRoot().topInstances)
    _check_tops(compilation, report, options, tops)
    if report.errors:
        raise UserError("source-errors", "the source has errors\n" + "".join(report.errors).rstrip())
    _check_parameters(driver, tops)
    if report.skipped:
        span = index.range_span(report.skipped[0], report.skipped[0])
        raise Unsupported("the initialiser of a static variable in a constant function", span, sources=index.sources)
    design = Design(index.sources, [], [], warnings=warnings + report.warnings)
    elaboration = Elaboration(
        compilation,
        index,
        design,
        convert_function,
        build_module,
        declare_module,
        options.assertions == "off",
        options.specify,
    )
    try:
        # Conversions follow deep expressions and `else if` chains.
        with deep_recursion(_DEPTH):
            design.tops += [(top.name, elaboration.module_of(top.body).module) for top in tops]
            if not tops:
                _convert_classes(compilation, elaboration)
    except WeftError as error:
        error.sources = error.sources or index.sources
        raise
    except RecursionError:
        raise Unsupported(f"source text nested more than about {_DEPTH // 5} levels deep") from None
    finally:
        elaboration.release()
        kept.clear()
    design.digest = _digest(driver, options, index)
    design.files = _files_read(driver, texts or {})
    return design


def _convert_classes(compilation: ast.Compilation, elaboration: Elaboration) -> None:
    """Convert the classes of sources that have no module to use them."""
    for scope in (*compilation.getCompilationUnits(), *compilation.getPackages()):
        for symbol in scope:
            if isinstance(symbol, ast.ClassType) and not is_built_in(symbol):
                class_of(elaboration.package_context(symbol).state, symbol)


@dataclass(slots=True)
class _Report:
    errors: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])
    codes: set[str] = field(default_factory=set[str])
    skipped: list[pyslang.SourceLocation] = field(default_factory=list[pyslang.SourceLocation])


def _create_driver(files: list[str], options: FrontEndOptions, has_texts: bool) -> tuple[Driver, list[str]]:
    driver = Driver()
    driver.addStandardArgs()
    driver.setTerminalColorsEnabled(False)
    driver.sourceManager.setDisableProximatePaths(True)
    words = ["weft", *options.words(), *files]
    with _standard_error() as caught:
        passed = driver.parseCommandLine(" ".join(map(_quote, words)))
        passed = passed and driver.processOptions(not has_texts)
        passed = passed and driver.parseAllSources()
    text = caught[0].strip()
    if not passed:
        code = "no-such-file" if "No such file" in text or "no input files" in text else "bad-option"
        raise UserError(code, text.removeprefix("error: ") or "slang rejects the options")
    return driver, [text] if text else []


def _parse(driver: Driver, texts: Mapping[str, str]) -> list[syntax.SyntaxTree]:
    bag = driver.createOptionBag()
    trees: list[syntax.SyntaxTree] = []
    for name, text in texts.items():
        buffer = driver.sourceManager.assignText(name, text)
        trees.append(syntax.SyntaxTree.fromBuffer(buffer, driver.sourceManager, bag))
    return trees


def _compile(driver: Driver, trees: list[syntax.SyntaxTree]) -> ast.Compilation:
    compilation = driver.createCompilation()
    for tree in trees:
        compilation.addSyntaxTree(tree)
    add_system_functions(compilation)
    return compilation


def _compile_again(driver: Driver, trees: list[syntax.SyntaxTree]) -> ast.Compilation:
    """Elaborate all trees of a design, which have been rewritten."""
    compilation = ast.Compilation(driver.createOptionBag())
    for tree in (*driver.sourceLoader.libraryMaps, *trees):
        compilation.addSyntaxTree(tree)
    add_system_functions(compilation)
    return compilation


def _without_randsequence(
    driver: Driver, written: list[syntax.SyntaxTree], index: SourceIndex
) -> tuple[ast.Compilation, list[object]]:
    """Elaborate once more, with statements in the place of each `randsequence`; the list must live as long."""
    rewritten, kept = rewrite_randsequence(written, index)
    return _rewritten(driver, rewritten, "a 'randsequence'"), kept


def _rewritten(driver: Driver, trees: list[syntax.SyntaxTree], what: str) -> ast.Compilation:
    """Elaborate trees that have had no errors before something took another form."""
    compilation = _compile_again(driver, trees)
    errors = [found for found in compilation.getAllDiagnostics() if found.isError()]
    if errors:
        text = pyslang.DiagnosticEngine.reportAll(driver.sourceManager, errors)
        raise InternalError(f"what has been made of {what} has errors\n{text}")
    return compilation


def _report(driver: Driver, compilation: ast.Compilation, statics: StaticRewriter | None = None) -> _Report:
    """Elaborate everything and render slang's diagnostics, as errors and as warnings."""
    report = _Report()
    engine = driver.diagEngine
    client = pyslang.TextDiagnosticClient()
    client.showColors(False)
    # Mixing files with and without a timescale is an error to IEEE 1800-2023 3.14.2.3 and everyday practice to everyone
    # else; modules without one count in nanoseconds, and only delays and $time would show it.
    engine.setSeverity(pyslang.Diags.MissingTimeScale, pyslang.DiagnosticSeverity.Warning)
    engine.clearClients()
    engine.addClient(client)
    for diagnostic in compilation.getAllDiagnostics():
        if diagnostic.code == pyslang.Diags.InvalidNetType and _REAL_NET.match(str(diagnostic.args[0])):
            continue  # a net of reals is a variable that is assigned continuously
        if diagnostic.code == pyslang.Diags.ConstEvalStaticSkipped:
            # The variable must have its initial value in every constant call (IEEE 1800-2023 13.4.3); slang's has none.
            if statics is not None and statics.is_done(diagnostic.location):
                continue
            report.skipped.append(diagnostic.location)
        errors = engine.numErrors
        engine.issue(diagnostic)
        text = client.getString()
        client.clear()
        if text:
            (report.errors if engine.numErrors > errors else report.warnings).append(text)
            report.codes.add(str(diagnostic.code))
    return report


def _check_tops(
    compilation: ast.Compilation, report: _Report, options: FrontEndOptions, tops: list[ast.InstanceSymbol]
) -> None:
    """Say which modules there are when the named top is none of them, or when there is no top."""
    modules = sorted(
        {
            found.name
            for found in compilation.getDefinitions()
            if isinstance(found, ast.DefinitionSymbol) and found.definitionKind == ast.DefinitionKind.Module
        }
    )
    listed = f"the sources have {', '.join(modules[:_LISTED]) or 'no modules'}" + (
        f" and {len(modules) - _LISTED} more" if len(modules) > _LISTED else ""
    )
    for name in options.top:
        if name not in modules and "DiagCode(InvalidTopModule)" in report.codes:
            near = _near(name, modules)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise UserError("no-top", f"no module is called '{name}'; {hint}{listed}")
    if not tops and not report.errors and (modules or options.require_top):
        raise UserError("no-top", f"there is no top module; {listed}")


def _check_parameters(driver: Driver, tops: list[ast.InstanceSymbol]) -> None:
    """Refuse a value for a parameter that no top has, which slang ignores; it checks paths (`top.W`) itself."""
    parameters = [parameter for top in tops for parameter in top.body.parameters]
    names = sorted({parameter.name for parameter in parameters if not parameter.isLocalParam})
    for override in driver.createOptionBag().compilationOptions.paramOverrides:
        name = override.partition("=")[0].strip()
        if "." in name or name in names:
            continue
        near = _near(name, names)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names) or 'none'}"
        raise UserError("bad-option", f"no top module has a parameter '{name}'; {hint}")


def _near(name: str, names: list[str]) -> list[str]:
    """Return what somebody may have meant."""
    import difflib

    return difflib.get_close_matches(name, names, 3)


def _digest(driver: Driver, options: FrontEndOptions, index: SourceIndex) -> str:
    """Hash every text that was read, file lists included, the options, and the version of slang.

    Weft's own is added to it where a design is made (`sim.design_cache`).
    """
    state = hashlib.blake2b(digest_size=16)
    choices = (options.assertions, f"specify={options.specify}")
    slang_version = str(pyslang.__version__)  # pyright: ignore[reportAttributeAccessIssue] - not in its stubs
    for word in (slang_version, *choices, *options.words()):
        state.update(word.encode() + b"\0")
    for path in sorted(driver.commandFileMetadata):
        state.update(path.read_bytes() + b"\0")
    for buffer in driver.sourceManager.getAllBuffers():
        if driver.sourceManager.getRawFileName(buffer):
            state.update(index.text_of(buffer).encode() + b"\0")
    return state.hexdigest()


def _files_read(driver: Driver, texts: Mapping[str, str]) -> list[str]:
    """Return the paths of the files and file lists that were read, without texts that are no files."""
    manager = driver.sourceManager
    paths = {str(path): None for path in sorted(driver.commandFileMetadata)}
    for buffer in manager.getAllBuffers():
        name = manager.getRawFileName(buffer)
        if name and name not in texts:
            paths[str(manager.getFullPath(buffer))] = None
    return [path for path in paths if Path(path).is_file()]


def _quote(word: str) -> str:
    """Quote a word for slang's splitting of a command line."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@contextmanager
def _standard_error() -> Generator[list[str]]:
    """Catch what C++ code prints to the standard error; the list gets the text at the end."""
    caught: list[str] = []
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield caught
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            file.seek(0)
            caught.append(file.read().decode(errors="replace"))
