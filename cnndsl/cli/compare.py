"""`cnndsl compare`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnndsl import shipped
from cnndsl.cli.options import InputOption, SetOption, requested
from cnndsl.cli.telling import Failure, fail, told, usage, write

if TYPE_CHECKING:
    from cnndsl.compare.drawing import Sheet
    from cnndsl.compare.profile import Profile
    from cnndsl.compare.rows import Row
    from cnndsl.elaborate import Request

ENDINGS = (".html", ".svg", ".png", ".csv", ".json")


def compare(
    specs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SPEC]...",
            help="Files with all their variants, FILE:VARIANT, shipped names, folders of runs.",
        ),
    ] = None,
    set: SetOption = None,
    input: InputOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All networks that come with the package.")
    ] = False,
    sort: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Order by a column, as params or top1.")
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Show where the cost of one network lies.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Write a page (.html), the picture (.svg, .png) or .csv, .json."
        ),
    ] = None,
) -> None:
    """Compare networks: parameters, multiply-adds, memory, depth, receptive field, accuracy."""
    named = [*(specs or ()), *(map(str, shipped.files().values()) if everything else ())]
    if not named:
        usage("name the networks to compare, or `--all`")
    if out is not None and out.suffix.lower() not in ENDINGS:
        usage(f"no format `{out.suffix}`: one of {', '.join(ENDINGS)}")
    if profile and (sort is not None or reverse):
        usage("`--sort` and `--reverse` order networks, and `--profile` shows the parts of one")
    with told(failure(as_json, "parts" if profile else "networks")):
        values = requested(set, input)
    if profile:
        show_profile(named, values, as_json, out)
    else:
        show_table(named, values, sort, reverse, as_json, out)


def show_table(
    specs: Sequence[str],
    values: Request,
    sort: str | None,
    reverse: bool,
    as_json: bool,
    out: Path | None,
) -> None:
    from cnndsl.compare import table
    from cnndsl.compare.rows import gather

    if sort is not None and sort not in table.SORTS:
        usage(f"no column `{sort}`: one of {', '.join(table.SORTS)}")
    with told(failure(as_json, "networks")):
        rows = table.arranged(gather(specs, values), sort, reverse)
    as_data = {"networks": table.to_json(rows), "diagnostics": []}
    if out is not None:
        write(out, table_file(rows, as_data, out.suffix.lower()))
    if as_json:
        print(json.dumps(as_data, indent=2))
    elif out is None:
        print("\n".join(table.text(rows)))


def table_file(rows: Sequence[Row], as_data: dict[str, Any], ending: str) -> bytes:
    from cnndsl.compare.chart import chart
    from cnndsl.compare.page import page
    from cnndsl.compare.table import to_csv

    if ending == ".html":
        return page(rows).encode()
    if ending == ".csv":
        return to_csv(rows).encode()
    if ending == ".json":
        return (json.dumps(as_data, indent=2) + "\n").encode()
    sheet = chart(rows)
    if sheet is None:
        fail(
            "no accuracy of these networks is known, and the picture shows it",
            "give figures in `published:`, name folders of runs, or write .csv or .html",
        )
    return picture(sheet, ending)


def show_profile(specs: Sequence[str], values: Request, as_json: bool, out: Path | None) -> None:
    from cnndsl.checker import check_variants
    from cnndsl.compare.profile import profile, text, to_json
    from cnndsl.summary import totals

    with told(failure(as_json, "parts")):
        graphs = [graph for spec in specs for graph in check_variants(spec, values)]
    if len(graphs) > 1:
        names = ", ".join(graph.variant or graph.name for graph in graphs[:8])
        more = ", …" if len(graphs) > 8 else ""
        usage(f"`--profile` shows one network, found {len(graphs)}: {names}{more}")
    found = profile(graphs[0])
    if out is not None:
        write(out, profile_file(found, out.suffix.lower()))
    if as_json:
        print(json.dumps({**to_json(found), "diagnostics": []}, indent=2))
    elif out is None:
        print("\n".join([*text(found), "", *totals(found.graph, found.costs)]))


def profile_file(found: Profile, ending: str) -> bytes:
    from cnndsl.compare.bars import bars
    from cnndsl.compare.page import picture_page
    from cnndsl.compare.profile import to_csv, to_json
    from cnndsl.summary import title

    if ending == ".csv":
        return to_csv(found).encode()
    if ending == ".json":
        return (json.dumps({**to_json(found), "diagnostics": []}, indent=2) + "\n").encode()
    if ending == ".html":
        return picture_page(title(found.graph), bars(found)).encode()
    return picture(bars(found), ending)


def picture(sheet: Sheet, ending: str) -> bytes:
    """A sheet as SVG, or as PNG, for which matplotlib is loaded."""
    if ending == ".svg":
        from cnndsl.compare.drawing import to_svg

        return to_svg(sheet).encode()
    try:
        from cnndsl.compare.raster import to_png
    except ImportError:
        fail("PNG needs matplotlib", "run `pip install matplotlib`, or write .svg")
    return to_png(sheet)


def failure(as_json: bool, key: str) -> Failure | None:
    """The JSON object without networks or parts, where that was asked for."""
    if not as_json:
        return None
    return lambda error: {key: [], "diagnostics": [d.to_json() for d in error.diagnostics]}
