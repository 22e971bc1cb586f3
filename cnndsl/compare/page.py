"""Rows of figures → a page that stands alone: the picture, and a table that sorts itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from cnndsl.compare.chart import chart
from cnndsl.compare.drawing import Sheet, to_svg
from cnndsl.compare.rows import Row
from cnndsl.compare.table import Column, shown

STYLE = """
body { font: 14px/1.4 "DejaVu Sans", Verdana, Arial, sans-serif; color: #111827; margin: 2em auto;
  max-width: 1200px; padding: 0 1em; }
svg { max-width: 100%; height: auto; }
svg circle:hover, svg rect[fill]:hover { stroke-width: 2; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 10px; text-align: right; border-bottom: 1px solid #e5e7eb;
  white-space: nowrap; }
th.left, td.left { text-align: left; }
th { position: sticky; top: 0; background: #fff; }
th button { font: inherit; font-weight: bold; border: 0; background: none; padding: 0;
  cursor: pointer; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
tbody tr:hover { background: #f3f4f6; }
dt { font-weight: bold; float: left; margin-right: 0.6em; }
dd { margin: 0 0 0.2em 0; }
"""

SCRIPT = """
for (const button of document.querySelectorAll("th button")) button.onclick = () => {
  const head = button.parentElement, body = head.closest("table").tBodies[0];
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = row => row.cells[head.cellIndex].dataset.value;
  const order = (a, b) => {
    const x = key(a), y = key(b);
    if (x === "" || y === "") return (x === "") - (y === "");
    const d = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
    return down ? -d : d;
  };
  body.append(...[...body.rows].sort(order));
};
"""

MEANINGS = {
    "params": "learned numbers",
    "macs": "multiply-adds of convolutions and linear layers in inference, for one sample",
    "inference": "most bytes of activations alive at once in inference, for one sample",
    "training": "bytes of activations that autograd keeps in training, for one sample",
    "depth": "convolutions and linear layers on the longest path",
    "field": "side of the receptive field of the last feature map, in pixels",
    "min_input": "side of the smallest square image that the network takes",
    "top1": "accuracy of the first answer in percent, as published or measured",
    "data": "the data set of the accuracy",
}


def picture_page(name: str, sheet: Sheet) -> str:
    """HTML with a picture alone."""
    return _html(name, [to_svg(sheet, name)])


def page(rows: Sequence[Row]) -> str:
    """HTML with the picture, where accuracies are known, and the table."""
    sheet = chart(rows)
    columns = shown(rows)
    picture = to_svg(sheet, "Accuracy, operations and parameters of networks") if sheet else ""
    body = [
        "<h1>Networks compared</h1>",
        picture,
        "<table><thead><tr>",
        *(_head(column) for column in columns),
        "</tr></thead><tbody>",
        *(line for row in rows for line in _line(row, columns)),
        "</tbody></table><dl>",
        *(f"<dt>{c.name}</dt><dd>{MEANINGS[c.name]}</dd>" for c in columns if c.name in MEANINGS),
        f"</dl><script>{SCRIPT}</script>",
    ]
    return _html("Networks compared", body)


def _html(name: str, body: Sequence[str]) -> str:
    head = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{escape(name)}</title><style>{STYLE}</style></head><body>",
    ]
    return "\n".join([*head, *body, "</body></html>", ""])


def _head(column: Column) -> str:
    told = escape(MEANINGS.get(column.name, ""), quote=True)
    side = ' class="left"' if column.left else ""
    return f'<th{side} title="{told}"><button>{column.name}</button></th>'


def _line(row: Row, columns: Sequence[Column]) -> Iterator[str]:
    yield "<tr>"
    for column in columns:
        exact = column.exact(row)
        value = escape("" if exact is None else str(exact), quote=True)
        side = ' class="left"' if column.left else ""
        source = row.accuracy.source if row.accuracy and column.name == "top1" else ""
        title = f' title="{escape(source, quote=True)}"' if source else ""
        yield f'<td{side} data-value="{value}"{title}>{escape(column.told(row))}</td>'
    yield "</tr>"
