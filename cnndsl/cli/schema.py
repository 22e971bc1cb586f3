"""`cnndsl schema`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from cnndsl.cli.telling import told, usage, write


def schema(
    spec: Annotated[
        str | None,
        typer.Argument(metavar="[SPEC]", help="A file whose blocks and parameters are added."),
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--output", help="The file to write.")] = None,
) -> None:
    """Print the JSON Schema of specs, for editors."""
    from cnndsl.checker import schema_for

    if out is not None and out.suffix.lower() != ".json":
        usage(f"no format `{out.suffix}`: a schema ends in .json")
    with told():
        text = json.dumps(schema_for(spec), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        sys.stdout.write(text)
    else:
        write(out, text.encode())
