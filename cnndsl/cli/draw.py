"""`cnndsl draw`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnndsl.cli.options import InputOption, SetOption, SpecArgument, VariantOption, checked
from cnndsl.cli.telling import fail, told, told_of, usage, write
from cnndsl.diagnostics import Diagnostic

if TYPE_CHECKING:
    from cnndsl.diagram.plan import Plan
    from cnndsl.graph import Graph

FORMATS = ("dot", "svg", "png", "pdf", "html")
BINARY = ("png", "pdf")
EVERY_LEVEL = 10_000


@dataclass(frozen=True)
class Look:
    """What the options say about a diagram; no theme is the reader's in a page, else light."""

    format: str
    depth: int | None
    expand: bool
    fuse: bool
    across: bool
    theme: str | None


@dataclass(frozen=True)
class Shown:
    """The network that is drawn, and the one that it is compared with."""

    graph: Graph
    before: Graph | None = None


def draw(
    spec: SpecArgument,
    variant: VariantOption = None,
    set: SetOption = None,
    input: InputOption = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file; its ending gives the format.")
    ] = None,
    format: Annotated[
        str | None, typer.Option("--format", metavar="|".join(FORMATS), help="The format.")
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Draw what this spec adds, removes and changes; REV:FILE is one of git.",
        ),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Levels of blocks to open; by default what can be read."
        ),
    ] = None,
    expand: Annotated[
        bool, typer.Option("--expand", help="Draw all blocks opened, and each of equal ones.")
    ] = False,
    no_fuse: Annotated[
        bool,
        typer.Option("--no-fuse", help="A box of its own for each normalization and activation."),
    ] = False,
    direction: Annotated[
        str, typer.Option(metavar="TB|LR", help="From top to bottom, or from left to right.")
    ] = "TB",
    theme: Annotated[
        str | None,
        typer.Option(metavar="light|dark", help="The colours; a page takes the reader's."),
    ] = None,
) -> None:
    """Draw a network as a diagram; DOT text to the standard output where no file is named.

    With --diff, what was added, removed and changed from the first spec to the other, and a summary
    of it on the standard output.
    """
    from cnndsl.diagram import THEMES

    chosen = chosen_format(format, out)
    if direction.upper() not in ("TB", "LR"):
        usage(f"no direction `{direction}`: TB, from top to bottom, or LR, from left to right")
    if theme is not None and theme not in THEMES:
        usage(f"no theme `{theme}`: one of {', '.join(THEMES)}")
    look = Look(chosen, depth, expand, not no_fuse, direction.upper() == "LR", theme)
    graphs = [graph_or_fail(one, variant, set, input) for one in (spec, diff) if one is not None]
    shown = Shown(graphs[-1], graphs[0] if diff is not None else None)
    if diff is not None:
        tell_changes(shown, on_error_stream=out is None and format is not None)
        if out is None and format is None:
            return
    data = drawn_or_fail(shown, look, out)
    if out is None:
        sys.stdout.buffer.write(data)
    else:
        write(out, data)


def graph_or_fail(
    spec: str, variant: str | None, set: Sequence[str] | None, input: str | None
) -> Graph:
    """The network that a spec means, of a revision too; its warnings are told."""
    from cnndsl.cli.revision import RevisionError, at_revision

    try:
        with told(), at_revision(spec) as place:
            graph = checked(place.spec, variant, set, input)
            told_of(place.told(graph.diagnostics))
            return graph
    except RevisionError as e:
        fail(e.message, e.help)


def tell_changes(shown: Shown, on_error_stream: bool) -> None:
    from cnndsl.diagram.diff import summary

    assert shown.before is not None
    text = "\n".join(summary(shown.before, shown.graph))
    print(text, file=sys.stderr if on_error_stream else sys.stdout)


def chosen_format(format: str | None, out: Path | None) -> str:
    """The format that is asked for, or that the file's ending says; the two must not differ."""
    ending = out.suffix[1:].lower() if out else ""
    chosen = format or (ending if out else "dot")
    if chosen not in FORMATS:
        usage(
            f"no format `{chosen}`: one of {', '.join(FORMATS)}, by --format or the file's ending"
        )
    if ending in FORMATS and ending != chosen:
        usage(f"{out} ends in .{ending}, and --format says {chosen}: leave one of them away")
    if out is None and chosen in BINARY and sys.stdout.isatty():
        usage(f"{chosen} is binary: name a file with -o")
    return chosen


def drawn_or_fail(shown: Shown, look: Look, out: Path | None) -> bytes:
    """The diagram as a file; one too large to lay out is a mistake of the spec."""
    from cnndsl.diagram import Oversize

    try:
        return page(shown, look) if look.format == "html" else picture_or_fail(shown, look, out)
    except Oversize as e:
        told_of([Diagnostic("bound", e.message, shown.graph.root.span, e.help)])
        raise typer.Exit(1) from None


def picture_or_fail(shown: Shown, look: Look, out: Path | None) -> bytes:
    """The picture; where a package for it is missing, its DOT text is written beside."""
    from cnndsl.diagram import THEMES, RenderError, make_figure, render
    from cnndsl.diagram.dot import write_dot

    theme, plan = THEMES[look.theme or "light"], plan_of(shown, look)
    if look.format == "dot":
        return str(write_dot(plan, theme, look.across).source).encode()
    figure = make_figure(plan, across=look.across)
    try:
        return render(figure, look.format, theme)
    except RenderError as e:
        if out is not None:
            dot = str(write_dot(plan, theme, look.across).source)
            write(out.with_suffix(".dot"), dot.encode())
            print(f"the diagram's text is in {out.with_suffix('.dot')}", file=sys.stderr)
        fail(e.message, e.help)


def plan_of(shown: Shown, look: Look) -> Plan:
    from cnndsl.diagram import make_plan
    from cnndsl.diagram.diff import compare

    depth = EVERY_LEVEL if look.expand and look.depth is None else look.depth
    if shown.before is None:
        return make_plan(shown.graph, depth=depth, fold=not look.expand, fuse=look.fuse)
    return compare(shown.before, shown.graph, depth=depth, fold=not look.expand, fuse=look.fuse)


def page(shown: Shown, look: Look) -> bytes:
    from cnndsl.diagram import write_page

    return write_page(
        shown.graph,
        before=shown.before,
        depth=look.depth,
        expand=look.expand,
        fuse=look.fuse,
        across=look.across,
        theme=look.theme,
    ).encode()
