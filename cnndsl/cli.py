"""The command line: arguments, output and exit codes.

0: fine. 1: the spec, the weights, the data or the device is at fault. 2: wrong usage.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cnndsl import __version__
from cnndsl.checker import (
    check_terms,
    variants_of,
    written_arg,
    written_input,
    written_sizes,
    written_values,
)
from cnndsl.diagnostics import Diagnostic, Report, SpecError
from cnndsl.files import write_atomically
from cnndsl.graph import Graph

if TYPE_CHECKING:
    from cnndsl.weights import Loaded

WEIGHTS_ENDINGS = (".safetensors", ".pth", ".pt")

app = typer.Typer(
    name="cnndsl",
    help="Convolutional networks as one page of YAML: checked, drawn, compiled and trained.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SpecArgument = Annotated[
    str, typer.Argument(metavar="SPEC", help="A file, FILE:VARIANT, or a shipped name as resnet50.")
]
VariantOption = Annotated[str | None, typer.Option("--variant", metavar="V", help="A variant.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter's value, in YAML; repeatable."),
]
InputOption = Annotated[
    str | None, typer.Option("--input", metavar="C,H,W", help="The shape of one sample.")
]


@app.callback(invoke_without_command=True)
def top(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"cnndsl {__version__}")
        raise typer.Exit


@app.command()
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
        bool, typer.Option("--verify", help="Compare every layer with PyTorch, on the meta device.")
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
            help="Write PyTorch source to this file, or the weights to .safetensors, .pth, .pt.",
        ),
    ] = None,
) -> None:
    """Check a network, show its layers and cost, and compile it to PyTorch."""
    from cnndsl import summary

    tensors = out if out is not None and out.suffix in WEIGHTS_ENDINGS else None
    if weights is None and (tensors or weights_partial):
        usage("`--weights-partial` and the writing of weights need `--weights`")
    with told(as_json):
        graph = checked(spec, variant, set, input)
        confirmed = confirm_variants(spec, graph, variant, set, input) if check_shapes else []
    told_of(graph.diagnostics)
    if verify:
        verify_or_fail(graph)
    loaded = None
    if weights is not None:
        loaded = load_or_fail(graph, weights, weights_partial, tensors)
    if out is not None and not tensors:
        from cnndsl.emitter import emit_source

        write(out, emit_source(graph).encode())
    if as_json:
        extra = {"weights": loaded.to_json()} if loaded else {}
        print(json.dumps({**summary.to_json(graph), **extra}, indent=2))
    elif out is None:
        print("\n".join(summary.table(graph)))
    for line in [] if as_json else confirmed:
        print(line)
    if verify and not as_json:
        print(
            f"verified: {len(graph.layers)} layers have the shapes and weights that PyTorch gives"
        )
    if loaded and not as_json:
        print("\n".join(loaded.lines()))
    if loaded and out and not tensors:
        print(f"note: {out} holds no weights; `-o FILE.safetensors` writes them", file=sys.stderr)


@app.command()
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


@app.command()
def train(
    spec: SpecArgument,
    variant: VariantOption = None,
    set: SetOption = None,
    input: InputOption = None,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda[:N]", help="Where to train.")
    ] = "auto",
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="digits (embedded), mnist, fashion_mnist, cifar10, or folder."
        ),
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the data set lies.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, metavar="N")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, metavar="N")] = None,
    lr: Annotated[float | None, typer.Option(min=0, metavar="X", help="Learning rate.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="N")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Where the run is written.")
    ] = None,
) -> None:
    """Train a network; what is not given comes from the spec's `train:`."""
    from cnndsl.training import TrainError, run

    try:
        with told():
            run(
                spec,
                variant,
                written_values(set or ()),
                written_sizes(input),
                device=device,
                data=data,
                data_root=data_root,
                epochs=epochs,
                batch_size=batch_size,
                lr=lr,
                seed=seed,
                out=out,
                bar=sys.stderr.isatty(),
            )
    except TrainError as e:
        fail(e.message, e.help)


@app.command()
def schema(
    spec: Annotated[
        str | None,
        typer.Argument(metavar="[SPEC]", help="A file whose blocks and parameters are added."),
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--output", help="The file to write.")] = None,
) -> None:
    """Print the JSON Schema of specs, for editors."""
    from cnndsl.checker import schema_for

    with told():
        text = json.dumps(schema_for(spec), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        sys.stdout.write(text)
    else:
        write(out, text.encode())


@app.command("import")
def import_(
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="torchvision:NAME, or PACKAGE.MODULE:FACTORY."),
    ],
    input: InputOption = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.yaml", help="The file to write.")
    ] = None,
) -> None:
    """Write the spec of an nn.Module, proven to be equal to it in every bit."""
    from cnndsl.importer import ModelError, import_spec

    try:
        with told():
            text = import_spec(source, written_sizes(input))
    except ModelError as e:
        fail(str(e), e.help)
    if out is None:
        sys.stdout.write(text)
    else:
        write(out, text.encode())


# --- parts ---------------------------------------------------------------------------------------


def checked(spec: str, variant: str | None, set: Sequence[str] | None, input: str | None) -> Graph:
    """The network that the arguments mean; raises SpecError."""
    report = Report()
    args = [written_arg(text, "--set", report) for text in set or ()]
    shape = written_input(input, report) if input is not None else None
    report.raise_errors()
    return check_terms(spec, variant, args, shape)


def confirm_variants(
    spec: str, graph: Graph, variant: str | None, set: Sequence[str] | None, input: str | None
) -> list[str]:
    """Check the other variants of a file too, where the user chose none; a line for each."""
    from cnndsl import summary
    from cnndsl.costs import cost

    graphs = [graph]
    if not (graph.variant or variant or set or input):
        graphs += [check_terms(spec, name, [], None) for name in variants_of(spec)]
    lines = [
        f"ok  {summary.title(g)}: {len(g.layers)} shapes, {g.contracts} contracts and "
        f"{g.facts} expectations confirmed; {cost(g).params:,} parameters"
        for g in graphs
    ]
    return ["", *lines]


def verify_or_fail(graph: Graph) -> None:
    from cnndsl.verify import verify

    differences = verify(graph)
    if differences:
        for difference in differences:
            print(difference, file=sys.stderr)
        fail("the checker and PyTorch differ", "this is a defect of cnndsl or of an op's package")


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


@contextmanager
def told(as_json: bool = False) -> Iterator[None]:
    """Print the diagnostics of a SpecError, and end with exit code 1."""
    try:
        yield
    except SpecError as e:
        if as_json:
            from cnndsl import summary

            print(json.dumps(summary.failure_json(e.diagnostics), indent=2))
        else:
            told_of(e.diagnostics)
            errors = sum(d.severity == "error" for d in e.diagnostics)
            print(f"{errors} error{'s' if errors != 1 else ''}", file=sys.stderr)
        raise typer.Exit(1) from None


def told_of(diagnostics: Sequence[Diagnostic]) -> None:
    for diagnostic in diagnostics:
        typer.echo(highlighted(diagnostic), err=True)


def highlighted(diagnostic: Diagnostic) -> str:
    """The message with its first line in bold, where the terminal shows it."""
    first, *rest = str(diagnostic).split("\n")
    return "\n".join([typer.style(first, bold=True), *rest])


def write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, lambda file: file.write(data))
    except OSError as e:
        fail(f"cannot write {path}: {e.strerror or e}")


def fail(message: str, help: str = "") -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    if help:
        print(f"help: {help}", file=sys.stderr)
    raise typer.Exit(1)


def usage(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    raise typer.Exit(2)


def main() -> Any:
    """The entry point; Ctrl-C ends with 130, a reader that went away with 0."""
    try:
        app()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
