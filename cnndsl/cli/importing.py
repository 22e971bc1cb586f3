"""`cnndsl import`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cnndsl.checker import written_sizes
from cnndsl.cli.options import InputOption
from cnndsl.cli.telling import fail, told, write


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
