"""`cnndsl draw`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnndsl.cli.options import InputOption, SetOption, SpecArgument, VariantOption, checked
from cnndsl.cli.telling import fail, told, told_of, usage, write

if TYPE_CHECKING:
    from cnndsl.diagram.plan import Plan
    from cnndsl.diagram.theme import Theme

FORMATS = ("dot", "svg", "png", "pdf")
BINARY = ("png", "pdf")
EVERY_LEVEL = 10_000


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
    depth: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Levels of blocks to open; default: what is readable."
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
    theme: Annotated[str, typer.Option(metavar="light|dark", help="The colours.")] = "light",
) -> None:
    """Draw a network as a diagram; DOT text to the standard output where no file is named."""
    from cnndsl.diagram import THEMES, make_plan

    chosen = chosen_format(format, out)
    if direction.upper() not in ("TB", "LR"):
        usage(f"no direction `{direction}`: TB, from top to bottom, or LR, from left to right")
    if theme not in THEMES:
        usage(f"no theme `{theme}`: one of {', '.join(THEMES)}")
    with told():
        graph = checked(spec, variant, set, input)
    told_of(graph.diagnostics)
    if expand and depth is None:
        depth = EVERY_LEVEL
    plan = make_plan(graph, depth=depth, fold=not expand, fuse=not no_fuse)
    data = drawn_or_fail(plan, chosen, THEMES[theme], direction.upper() == "LR", out)
    if out is None:
        sys.stdout.buffer.write(data)
    else:
        write(out, data)


def chosen_format(format: str | None, out: Path | None) -> str:
    """The format that is asked for, or that the file's ending says."""
    chosen = format or (out.suffix[1:].lower() if out else "dot")
    if chosen not in FORMATS:
        usage(
            f"no format `{chosen}`: one of {', '.join(FORMATS)}, by --format or the file's ending"
        )
    if out is None and chosen in BINARY and sys.stdout.isatty():
        usage(f"{chosen} is binary: name a file with -o")
    return chosen


def drawn_or_fail(plan: Plan, format: str, theme: Theme, across: bool, out: Path | None) -> bytes:
    """The diagram as a file; where it cannot be rendered, its DOT text is written beside."""
    from cnndsl.diagram import RenderError, make_figure, render
    from cnndsl.diagram.dot import write_dot

    if format == "dot":
        return write_dot(plan, theme, across).source.encode()
    try:
        return render(make_figure(plan, across=across), format, theme)
    except RenderError as e:
        if out is not None:
            dot = out.with_suffix(".dot")
            write(dot, write_dot(plan, theme, across).source.encode())
            print(f"the diagram's text is in {dot}, for Graphviz", file=sys.stderr)
        fail(e.message, e.help)
