"""`cnndsl build`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnndsl.checker import check_variants
from cnndsl.cli.options import InputOption, SetOption, SpecArgument, VariantOption, checked
from cnndsl.cli.telling import fail, told, told_of, usage, write
from cnndsl.graph import Graph

if TYPE_CHECKING:
    from cnndsl.equivalence import Equivalence
    from cnndsl.weights import Loaded

SOURCE = ".py"
WEIGHTS_ENDINGS = (".safetensors", ".pth", ".pt")
EXPORTED = (".onnx", ".pt2")
"""What `cnndsl export` alone writes."""


def build(
    spec: SpecArgument,
    variant: VariantOption = None,
    set: SetOption = None,
    input: InputOption = None,
    check_shapes: Annotated[
        bool,
        typer.Option(
            "--check-shapes",
            help="Confirm every `shape:` and `expect:`, of all variants if none is chosen.",
        ),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Compare shapes and weights with PyTorch's, and the module with the spec.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|torchvision:NAME",
            help="Load .pth, .pt, .safetensors, or published weights as torchvision:IMAGENET1K_V1.",
        ),
    ] = None,
    weights_partial: Annotated[
        bool,
        typer.Option("--weights-partial", help="Load the tensors that fit, and list the others."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Write PyTorch source (.py), or the weights (.safetensors, .pth, .pt).",
        ),
    ] = None,
) -> None:
    """Check a network, show its layers and cost, and compile it to PyTorch."""
    from cnndsl import failure, summary

    tensors = out if out is not None and ending_of(out) in WEIGHTS_ENDINGS else None
    if weights is None and (tensors or weights_partial):
        usage("`--weights-partial` and the writing of weights need `--weights`")
    with told(failure.to_json if as_json else None, failure.table):
        asked = (spec, variant, set, input)
        graphs = with_variants(*asked) if check_shapes else [checked(*asked)]
        graph, confirmed = graphs[0], confirmations(graphs) if check_shapes else []
    told_of(graph.diagnostics)
    verified = verify_or_fail(graph) if verify else None
    loaded = None
    if weights is not None:
        loaded = load_or_fail(graph, weights, weights_partial, tensors)
    if out is not None and not tensors:
        from cnndsl.emitter import emit_source

        write(out, emit_source(graph).encode())
    if as_json:
        extra = {"weights": loaded.to_json()} if loaded else {}
        extra |= {"verified": verified.to_json()} if verified else {}
        print(json.dumps({**summary.to_json(graph), **extra}, indent=2))
    elif out is None:
        print("\n".join(summary.table(graph)))
    for line in [] if as_json else confirmed:
        print(line)
    if verified and not as_json:
        print(
            f"verified: {len(graph.layers)} layers have the shapes and weights that PyTorch gives"
        )
        print(f"verified: {verified}")
    if loaded and not as_json:
        print("\n".join(loaded.lines()))
    if loaded and out and not tensors:
        print(f"note: {out} holds no weights; `-o FILE.safetensors` writes them", file=sys.stderr)


def ending_of(out: Path) -> str:
    """The ending of the file that is to be written, if this command writes such files."""
    if out.suffix in EXPORTED:
        usage(f"`build` writes no {out.suffix}: `cnndsl export SPEC -o {out}` does")
    if out.suffix not in (SOURCE, *WEIGHTS_ENDINGS):
        known = ", ".join((SOURCE, *WEIGHTS_ENDINGS))
        usage(f"no format `{out.suffix}`: name a file that ends in {known}")
    return out.suffix


def with_variants(
    spec: str, variant: str | None, set: Sequence[str] | None, input: str | None
) -> list[Graph]:
    """The network that is asked for, behind it those of all variants where the user chose none.

    Raises SpecError, with the mistakes of all of them.
    """
    if variant or set or input:
        return [checked(spec, variant, set, input)]
    return list(check_variants(spec, facts=True, base=True))


def confirmations(graphs: Sequence[Graph]) -> list[str]:
    """What holds of each network, in a line."""
    from cnndsl import summary
    from cnndsl.costs import cost

    lines = [
        f"ok  {summary.title(g)}: {len(g.layers)} shapes, {g.contracts} contracts and "
        f"{g.facts} expectations confirmed; {cost(g).params:,} parameters"
        for g in graphs
    ]
    return ["", *lines]


def verify_or_fail(graph: Graph) -> Equivalence:
    """Hold the static shapes against PyTorch's, and the compiled module against the spec."""
    from cnndsl.builder import build_module
    from cnndsl.equivalence import equivalence
    from cnndsl.verify import verify

    defect = "this is a defect of cnndsl or of an op's package"
    if differences := verify(graph):
        for difference in differences:
            print(difference, file=sys.stderr)
        fail("the checker and PyTorch differ", defect)
    found = equivalence(graph, build_module(graph))
    for problem in found.problems:
        print(problem, file=sys.stderr)
    if found.problems:
        numbers = "the network itself gives infinity or NaN for random weights and inputs"
        help = numbers if found.undecided else defect
        fail("the module is not shown to be the network of the spec", help)
    return found


def load_or_fail(graph: Graph, source: str, partial: bool, out: Path | None) -> Loaded:
    """Load weights into the network, and write its state dict where a file is named."""
    from cnndsl.builder import build_module
    from cnndsl.weights import WeightsError, load_weights, write_weights

    module = build_module(graph)
    try:
        loaded = load_weights(
            module, graph, source, partial, lambda line: print(line, file=sys.stderr)
        )
        if out is not None:
            write_weights(out, module)
    except WeightsError as e:
        fail(e.message, e.help)
    return loaded
