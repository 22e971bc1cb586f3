"""SVG → PDF and PNG, the same on all machines: both bring their own Helvetica."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from io import BytesIO

from cnndsl.diagram.errors import RenderError
from cnndsl.diagram.figure import Figure
from cnndsl.diagram.svg import write_svg
from cnndsl.diagram.theme import LIGHT, Theme

FORMATS = ("svg", "png", "pdf")
SCALE = 2.0
"""Pixels of a PNG for each point."""
MAX_SIDE = 20_000
"""Pixels of a PNG's longer side; a larger diagram is scaled down."""


def render(figure: Figure, format: str, theme: Theme = LIGHT) -> bytes:
    """The figure as a file of this format: svg, png or pdf."""
    if format not in FORMATS:
        raise RenderError(f"`{format}` is no format of figures", f"formats: {', '.join(FORMATS)}")
    svg = write_svg(figure, theme).encode()
    if format == "svg":
        return svg
    pdf = _pdf(_western(svg))
    return pdf if format == "pdf" else _png(pdf)


def _western(svg: bytes) -> bytes:
    """The text with letters that every PDF has; `?` stands for others."""
    return svg.decode().encode("cp1252", errors="replace").decode("cp1252").encode()


def _pdf(svg: bytes) -> bytes:
    """An SVG as PDF of one page of its size; equal pictures give equal bytes."""
    _needed("svglib", "PDF and PNG")
    drawing = import_module("svglib.svglib").svg2rlg(BytesIO(svg))
    if drawing is None:
        raise RenderError("svglib could not read the diagram", "write SVG instead")
    pdf = import_module("reportlab.graphics.renderPDF")
    return bytes(pdf.drawToString(drawing, msg="", invariant=1))


def _png(pdf: bytes) -> bytes:
    _needed("pypdfium2", "PNG")
    page = import_module("pypdfium2").PdfDocument(pdf)[0]
    # A unit of SVG is 3/4 of a point of PDF.
    scale = min(SCALE / 0.75, MAX_SIDE / max(page.get_size()))
    image = BytesIO()
    page.render(scale=scale).to_pil().save(image, "png")
    return image.getvalue()


def _needed(package: str, formats: str) -> None:
    if find_spec(package) is None:
        help = f"run `pip install {package}`, or write SVG"
        raise RenderError(f"{formats} need the package {package}, which is missing", help)
