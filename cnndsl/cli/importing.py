"""`cnndsl import`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cnndsl.checker import written_sizes
from cnndsl.cli.options import InputOption
from cnndsl.cli.telling import fail, told, usage, write
from cnndsl.load import SUFFIXES


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
    """Write the spec of an nn.Module, whose outputs it is proven to give in every bit.

    The Python of SOURCE is run. Notes tell what of the network is not in the spec.
    """
    if out is not None and out.suffix not in SUFFIXES:
        usage(f"no format `{out.suffix}`: a spec ends in {' or '.join(SUFFIXES)}")
    from cnndsl.importer import ModelError, import_spec

    try:
        with told():
            imported = import_spec(source, written_sizes(input))
    except ModelError as e:
        fail(str(e), e.help)
    for note in imported.notes:
        print(f"note: {note}", file=sys.stderr)
    if out is None:
        sys.stdout.write(imported.text)
    else:
        write(out, imported.text.encode())
