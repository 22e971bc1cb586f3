"""DOT → SVG, PNG and PDF, with the renderer that is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import import_module, metadata
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import graphviz

FORMATS = ("dot", "svg", "png", "pdf")
PNG_DPI = 144
TIME_LIMIT = 120
"""Seconds that a layout may take."""


class RenderError(Exception):
    """A diagram that could not be rendered; `help` says what to do about it."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help


def render(diagram: graphviz.Digraph | str, format: str = "svg") -> bytes:
    """The diagram, or its DOT, as a file of this format: dot, svg, png or pdf."""
    dot = diagram if isinstance(diagram, str) else diagram.source
    if format == "dot":
        return dot.encode()
    if format not in FORMATS:
        raise RenderError(f"`{format}` is no format of diagrams", f"formats: {', '.join(FORMATS)}")
    if format == "pdf":
        return _pdf(dot)
    return _laid_out(dot, format)


def _pdf(dot: str) -> bytes:
    """The SVG as PDF, or Graphviz's own where letters are beyond the fonts that every PDF has."""
    system = shutil.which("dot")
    if system is not None and (not _is_western(dot) or find_spec("svglib") is None):
        return _run([system], dot, "pdf")
    if find_spec("svglib") is None:
        raise RenderError(
            "nothing that writes PDF was found",
            "run `pip install svglib`, or install Graphviz (`apt install graphviz`)",
        )
    return _converted(_laid_out(dot, "svg"))


def _is_western(text: str) -> bool:
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _converted(svg: bytes) -> bytes:
    """An SVG as PDF of one page of its size; equal pictures give equal bytes."""
    drawing = import_module("svglib.svglib").svg2rlg(BytesIO(svg))
    if drawing is None:
        raise RenderError("svglib could not read the diagram", "write SVG instead")
    pdf = import_module("reportlab.graphics.renderPDF")
    return bytes(pdf.drawToString(drawing, msg="", invariant=1))


def _laid_out(dot: str, format: str) -> bytes:
    """The picture, by the package's renderer, whose bytes are the same everywhere, or by `dot`."""
    own, system = _packaged(), shutil.which("dot")
    if own is None and system is None:
        raise RenderError(
            "no renderer for diagrams was found",
            "run `pip install graphviz-pure`, or write DOT (`--format dot`)",
        )
    if own is None:
        return _run([str(system), "-q"], dot, format)
    try:
        return _run([own, "-q"], dot, format)
    except RenderError:
        if system is None:
            raise
        return _run([system, "-q"], dot, format)


def _packaged() -> str | None:
    """The executable of the package graphviz-pure: beside the interpreter or where pip put it."""
    names = ("graphviz-pure", "graphviz-pure.exe")
    beside = [Path(sys.executable).parent / name for name in names]
    try:
        files = metadata.files("graphviz-pure") or []
    except metadata.PackageNotFoundError:
        files = []
    installed = [Path(str(file.locate())) for file in files if file.name in names]
    found = next((str(path) for path in (*beside, *installed) if path.is_file()), None)
    return found or shutil.which("graphviz-pure")


def _run(command: list[str], dot: str, format: str) -> bytes:
    options = [f"-Gdpi={PNG_DPI}"] if format == "png" else []
    try:
        done = subprocess.run(
            [*command, f"-T{format}", *options],
            input=dot.encode(),
            capture_output=True,
            timeout=TIME_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise RenderError(f"{Path(command[0]).name} did not run: {e}", "write DOT instead") from e
    if done.returncode or not done.stdout:
        told = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        raise RenderError(f"{Path(command[0]).name} failed: {told}", "write DOT (`--format dot`)")
    return done.stdout
