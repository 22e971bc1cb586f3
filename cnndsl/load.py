"""Names and files → the syntax tree of a spec, with all that it imports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from cnndsl import shipped, source, syntax
from cnndsl.diagnostics import Diagnostic, Report, Source, Span, suggest
from cnndsl.idle import idle
from cnndsl.names import check_names, unread
from cnndsl.packages import unfit
from cnndsl.parse import parse
from cnndsl.schema import EXTENDABLE
from cnndsl.validate import validate
from cnndsl.variants import check_variants
from cnndsl.words import normal

MAX_CHAIN, MAX_FILES = 12, 60
"""How many files use each other in turn, and how many a file uses in all, one by another or not."""
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Target:
    """Which file is meant, and which of its variants ("" for none)."""

    path: Path
    variant: str = ""
    of_file: bool = False
    """Whether the variant has the name of the file, and that was given: another one is as good."""

    def of(self, variant: str, report: Report) -> Target:
        """The same with a variant that is asked for; two that differ are reported."""
        asked = "" if self.of_file else self.variant
        if variant and asked and normal(variant) != normal(asked):
            message = f"two variants are asked for, `{self.variant}` and `{variant}`"
            span = Span(Source("variant", variant, "--variant"), 1, 1, 1, len(variant) + 1)
            report.error("argument", message, span, "leave one of them away")
        return Target(self.path, variant or self.variant)


@dataclass(frozen=True)
class Chain:
    """The files that are being loaded, each for the one before it, and what was loaded so far."""

    files: tuple[Path, ...] = ()
    done: dict[Path, syntax.Spec | None] = field(default_factory=dict)

    def and_then(self, path: Path) -> Chain:
        return Chain((*self.files, path), self.done)


def find(spec: str, report: Report) -> Target | None:
    """The file that a user means by a path, `path:variant`, or a shipped name."""
    name, _, variant = spec.rpartition(":")
    if name and (_is_file(Path(name)) or name.endswith(SUFFIXES)):
        return Target(Path(name), variant)
    if _is_file(Path(spec)) or spec.endswith(SUFFIXES):
        return Target(Path(spec))
    found = shipped.find(name or spec)
    if found and name and variant in shipped.variants(found[0]):
        return Target(*found, (name or spec) in shipped.files()).of(variant, report)
    if found and not name:
        return Target(*found, spec in shipped.files())
    span = Span(Source(spec, ""))
    if found and name in shipped.files():
        help = suggest(variant, list(shipped.variants(found[0]))) or "it has no variants"
        report.error("name", f"{name} has no variant `{variant}`", span, help)
        return None
    help = suggest(spec, shipped.names())
    report.error("file", f"`{spec}` is neither a file nor a shipped network", span, help)
    return None


def load(
    path: Path, report: Report, chain: Chain | None = None, data: bytes | None = None
) -> syntax.Spec | None:
    """Read a spec file and the files that it imports; mistakes are reported.

    `data` stands for what the file holds, as where an editor has not saved it yet.
    """
    before = len(report.diagnostics)
    if data is None:
        root = source.read_file(path, _shown(path), report)
    else:
        root = source.read_bytes(data, _shown(path), report)
    if root is None:
        if len(report.diagnostics) == before:
            help = "as in `body: [{conv: 64}, relu]`"
            report.error("syntax", "the file is empty", Span(Source(_shown(path), "")), help)
        return None
    return assemble(root, path, report, chain or Chain())


def assemble(
    root: source.Located, path: Path | None, report: Report, chain: Chain
) -> syntax.Spec | None:
    """Validate and parse a file's values, and load what the file refers to."""
    if not isinstance(root, source.Mapping):
        help = "as in `body: [{conv: 64}, relu]`"
        report.error("schema", "a spec is a mapping with a `body`", root.span, help)
        return None
    bad = validate(root, report)
    spec = parse(root, path, bad, report)
    if report.full:
        return None
    files = _References(path, report, chain.and_then(path.resolve()) if path else chain)
    base = root.index.get("extends")
    if base is not None:
        return None if base.value.span in bad else files.extend(spec, root, base, bad)
    imports = {}
    for entry in _entries(root.get("import")):
        imported = None if entry.value.span in bad else files.load(entry.value)
        if imported is not None:
            imports[entry.name] = imported
    is_open = spec.open or any(file.open for file in imports.values())
    spec = replace(spec, imports=imports, open=is_open)
    if not any(entry.name not in imports for entry in _entries(root.get("import"))):
        spec = check_names(spec, report)
    spec = check_variants(root, spec, bad, report)
    return spec if report.failed else replace(spec, unread=_unread(spec, root, files.chain))


def _unread(spec: syntax.Spec, root: source.Mapping, chain: Chain) -> tuple[Diagnostic, ...]:
    """What nothing reads in this file, and in those that it imports."""
    aliases = {entry.name: entry.key.span for entry in _entries(root.get("import"))}
    own = unread(spec, aliases, main=len(chain.files) <= 1)
    return (
        *idle(root),
        *unfit(root),
        *own,
        *(warning for file in spec.imports.values() for warning in file.unread),
    )


@dataclass(frozen=True)
class _References:
    """The files that a file refers to: below its folder, or shipped."""

    path: Path | None
    report: Report
    chain: Chain

    def load(self, value: source.Located, extending: bool = False) -> syntax.Spec | None:
        target = self.target(value)
        if target is None:
            return None
        if target.variant and not extending:
            message = f"an import takes blocks, and no variant, as `{target.variant}`"
            text = str(getattr(value, "value", "")).removesuffix(f":{target.variant}")
            name = target.path.stem if text == target.variant else text
            help = f"name the file alone, `{name}`"
            self.report.error("import", message, value.span, help)
        path = target.path.resolve()
        if path in self.chain.files:
            first = self.chain.files.index(path)
            names = " → ".join(p.name for p in (*self.chain.files[first:], path))
            self.report.error("import", f"files that use each other: {names}", value.span)
            return None
        if len(self.chain.files) >= MAX_CHAIN:
            self.report.error(
                "bound", f"more than {MAX_CHAIN} files, each used by the next", value.span
            )
            return None
        if not _is_file(target.path):
            self.report.error("import", f"no file {_shown(target.path)}", value.span)
            return None
        if path not in self.chain.done and len(self.chain.done) >= MAX_FILES:
            self.report.error("bound", f"more than {MAX_FILES} files in all", value.span)
            return None
        if path not in self.chain.done:
            self.chain.done[path] = load(target.path, self.report, self.chain)
        return self.chain.done[path]

    def target(self, value: source.Located) -> Target | None:
        text = str(value.value) if isinstance(value, source.Scalar) else ""
        name, _, variant = text.rpartition(":")
        if not name.endswith(SUFFIXES):
            name, variant = (text, "") if text.endswith(SUFFIXES) else ("", "")
        if not name:
            found = shipped.find(text)
            if found:
                return Target(*found)
            help = "a file ends in .yaml" if "/" in text else suggest(text, shipped.names())
            self.report.error("import", f"`{text}` is no shipped spec", value.span, help)
            return None
        folder = (self.path.parent if self.path else Path()).resolve()
        try:
            path = (folder / name).resolve()
        except (OSError, ValueError):
            self.report.error("import", f"no file {name}", value.span)
            return None
        if not path.is_relative_to(folder):
            message = f"{name} lies outside of the folder of this file"
            self.report.error("import", message, value.span, "only files below it can be used")
            return None
        shown = self.path.parent / name if self.path else Path(name)
        return Target(shown, variant)

    def extend(
        self, spec: syntax.Spec, root: source.Mapping, base: source.Entry, bad: frozenset[Span]
    ) -> syntax.Spec | None:
        """The extended file, with this one's parameter values, variants, input and facts."""
        for entry in root.entries:
            if entry.name not in EXTENDABLE and entry.key.span not in bad:
                message = (
                    f"a file that extends another gives values and outputs only, not `{entry.name}`"
                )
                self.report.error("import", message, entry.key.span)
        target = self.target(base.value)
        extended = self.load(base.value, extending=True)
        if extended is None or target is None:
            return None
        if target.variant and target.variant not in extended.variants:
            help = suggest(target.variant, list(extended.variants))
            message = f"{target.path.name} has no variant `{target.variant}`"
            self.report.error("name", message, base.value.span, help)
            return None
        variant = extended.variants.get(target.variant, ())
        for param in spec.params:
            if param.default is None:
                message = f"`{param.name}` has a type here, and no value"
                help = "the extended file declares it: give the value that it has in this one"
                self.report.error("import", message, param.span, help)
        own = tuple(
            syntax.Arg(param.name, param.span, param.default)
            for param in spec.params
            if param.default is not None
        )
        merged = replace(
            extended,
            name=spec.name,
            about=spec.about or extended.about,
            path=spec.path,
            span=spec.span,
            overrides=(*extended.overrides, *variant, *own),
            variants=spec.variants,
            inputs=spec.inputs or extended.inputs,
            outputs=spec.outputs or extended.outputs,
            expect=spec.expect,
            published=spec.published,
            train=(*_inherited(extended.train, target.variant), *spec.train),
            open=spec.open or extended.open,
        )
        if not self.report.failed:
            merged = check_names(merged, self.report)
        return check_variants(root, merged, bad, self.report)


def _inherited(settings: tuple[syntax.Setting, ...], variant: str) -> Iterator[syntax.Setting]:
    """The recipes of an extended file, with what differs in the chosen one of its variants."""
    later = []
    for setting in settings:
        head = 2 if setting.path[0] == "recipes" else 0
        inner = setting.within(head)
        if inner.path[:1] != ("variants",):
            yield setting
        elif inner.path[1:2] == (variant,) and inner.path[2:]:
            special = inner.within(2)
            path, keys = setting.path[:head] + special.path, setting.keys[:head] + special.keys
            later.append(replace(setting, path=path, keys=keys))
    yield from later


def _is_file(path: Path) -> bool:
    """Whether a file is there; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _entries(value: source.Located | None) -> tuple[source.Entry, ...]:
    return value.entries if isinstance(value, source.Mapping) else ()


def _shown(path: Path) -> str:
    """A path as messages show it: relative to the working folder where it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd())) if path.is_absolute() else str(path)
    except ValueError:
        return str(path)
