"""`cnndsl draw`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cnndsl.cli.options import InputOption, SetOption, SpecArgument, VariantOption, checked
from cnndsl.cli.telling import fail, told, told_of, usage, write


def draw(
    spec: SpecArgument,
    variant: VariantOption = None,
    set: SetOption = None,
    input: InputOption = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file; its ending gives the format.")
    ] = None,
    format: Annotated[
        str | None, typer.Option("--format", metavar="dot|svg|png|pdf", help="The format.")
    ] = None,
) -> None:
    """Draw a network as a diagram; DOT text to the standard output where no file is named."""
    from cnndsl.diagram import FORMATS, RenderError, draw_graph, render

    chosen = format or (out.suffix[1:].lower() if out else "dot")
    if chosen not in FORMATS:
        usage(
            f"no format `{chosen}`: one of {', '.join(FORMATS)}, by --format or the file's ending"
        )
    if out is None and chosen in ("png", "pdf") and sys.stdout.isatty():
        usage(f"{chosen} is binary: name a file with -o")
    with told():
        graph = checked(spec, variant, set, input)
    told_of(graph.diagnostics)
    diagram = draw_graph(graph)
    try:
        data = diagram.source.encode() if chosen == "dot" else render(diagram, chosen)
    except RenderError as e:
        if out is not None:
            write(out.with_suffix(".dot"), diagram.source.encode())
            print(f"the diagram's text is in {out.with_suffix('.dot')}", file=sys.stderr)
        fail(e.message, e.help)
    if out is None:
        sys.stdout.buffer.write(data)
    else:
        write(out, data)
