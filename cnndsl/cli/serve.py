"""`cnndsl serve`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from cnndsl.cli.options import SpecArgument
from cnndsl.cli.telling import fail, told

if TYPE_CHECKING:
    from cnndsl.serve.document import Document

NEEDED = ("starlette", "uvicorn")


def serve(
    spec: SpecArgument,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, metavar="N", help="The port; else 8421 or a free one."),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
) -> None:
    """Edit a spec in a local page that shows its mistakes, diagram and layers as one types."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        fail(f"serving needs {' and '.join(missing)}", "run `pip install 'cnndsl[serve]'`")
    from cnndsl.serve.run import listen, run

    document = opened(spec)
    try:
        sock = listen(port)
    except OSError as e:
        fail(f"cannot listen at port {port}: {e.strerror or e}")
    run(document, sock, open_page=not no_open)


def opened(spec: str) -> Document:
    """The file that is meant; a shipped one is only read."""
    from cnndsl import shipped
    from cnndsl.diagnostics import Report
    from cnndsl.load import find
    from cnndsl.serve.document import Document, UnreadableError

    report = Report()
    with told():
        target = find(spec, report)
        report.raise_errors()
    assert target is not None
    named = spec.rpartition(":")[0] or spec
    own = named.endswith((".yaml", ".yml")) or target.path not in shipped.files().values()
    document = Document(target.path, target.variant, writable=own)
    try:
        document.read()
    except UnreadableError as e:
        fail(str(e))
    return document
