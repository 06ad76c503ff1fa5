"""Where compiled code comes from and goes to in one run: options, environment, defaults; and doing what they say.

An option that is given wins over its environment variable, and that over the default.
`docs/pipelines.md` has the table.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from weft.base.cache_layers import Counts, counts
from weft.base.dataclass import asdict, dataclass
from weft.base.errors import UserError
from weft.engines.cpu.object_cache import cache_folder

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """Choose an archive, whether to look things up in it and to add what was used to it, whether better code is made
    in the background (else all of it before the first cycle), and whether to tell what was found and made.
    """

    archive: Path | None = None
    load: bool = False
    save: bool = False
    background: bool = True
    log: bool = False

    @property
    def path(self) -> Path:
        """Return the archive's path, by default one in the user's cache folder."""
        return self.archive or cache_folder().parent / "pipelines.weftar"


def pipeline_options(
    archive: str = "",
    load: bool | None = None,
    save: bool | None = None,
    background: bool | None = None,
    log: bool | None = None,
) -> PipelineOptions:
    """Return the options, those that are not given from the environment; raises `bad-option`."""
    chosen = PipelineOptions(
        Path(archive) if archive else None,
        switch(load, False, "WEFT_PIPELINE_LOAD"),
        switch(save, False, "WEFT_PIPELINE_SAVE", "WEFT_PIPELINE_HARVEST"),
        switch(background, True, "WEFT_PIPELINE_ASYNC", "WEFT_PIPELINE_PRECOMPILE"),
        switch(log, False, "WEFT_PIPELINE_LOG"),
    )
    if archive and not chosen.load and not chosen.save:
        raise UserError("bad-option", "--pipeline-archive needs --pipeline-load, --pipeline-save or both")
    named = archive or os.environ.get("WEFT_PIPELINE_ARCHIVE", "")
    return PipelineOptions(Path(named) if named else None, chosen.load, chosen.save, chosen.background, chosen.log)


def switch(given: bool | None, default: bool, *names: str) -> bool:
    """Return a switch as it was given, or from the first of these environment variables that is set."""
    if given is not None:
        return given
    for name in names:
        text = os.environ.get(name)
        if text is not None:
            if text.lower() in _TRUE or text.lower() in _FALSE:
                return text.lower() in _TRUE
            raise UserError("bad-option", f"{name}={text}: write 1 or 0")
    return default


@contextmanager
def use_pipeline(options: PipelineOptions, warn: Callable[[str], None], say: Callable[[str], None]) -> Generator[None]:
    """Use the archive for what is compiled inside, and add to it at the end, unless an error ends it.

    `warn` is told what cannot be used; `say` what happened, if `log` asks for it. An archive that cannot be read is no
    error, since everything can be compiled again; one that cannot be written is (`cannot-write`).
    """
    if not (options.load or options.save or options.log):
        yield  # what follows takes time to import
        return
    from weft.sim import archives

    log = say if options.log else _say_nothing
    before = Counts(**asdict(counts))
    with ExitStack() as stack:
        used = False
        if options.load and not options.path.exists():
            log(f"no archive '{options.path}'")
        elif options.load:
            try:
                stack.enter_context(archives.use(options.path, warn))
                used = True
            except UserError as error:
                warn(f"{error.message}: all is compiled again")
        harvest = stack.enter_context(archives.harvest(options.path)) if options.save else None
        yield
    text = f"{counts.found - before.found} entries found, {counts.made - before.made} made"
    taken = counts.from_archives - before.from_archives
    log(f"{text}; {taken} came from '{options.path}'" if used else text)
    if harvest is not None:
        for line in harvest.lines:
            warn(line)
        log(f"{harvest.taken} entries saved in '{options.path}', {harvest.bytes / 1e6:.2f} MB")


def _say_nothing(text: str) -> None:
    """Say nothing."""
