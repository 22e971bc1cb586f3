"""Every variant of every shipped spec, beside torchvision's network of the same name.

    python benchmarks/zoo.py [--write] [NAME ...]

Prints a row a variant: lines of the family's spec and of torchvision's source for it, parameters,
multiply-adds, and whether the two are the same: the state dict loads with `strict=True`, and with
equal random numbers the outputs in inference, and the outputs, gradients and running statistics in
training, are equal bit for bit, on images of 64×64 or the next size that the network takes. Exits
with 1 if one differs. NAME is a family or a variant; where none differs, `--write` writes
docs/zoo.md and its diagrams.
"""

from __future__ import annotations

import argparse
import ast
import gc
import inspect
import io
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
import torchvision
from compare import difference

import cnndsl
from cnndsl import shipped
from cnndsl.diagram import make_figure, make_plan, render

DOCS = Path(__file__).parent.parent / "docs"

INTRODUCTION = """\
# The zoo

Every network that comes with cnndsl, as `python benchmarks/zoo.py --write` found it with torch
{torch} and torchvision {torchvision}. *Identical* means that torchvision's state dict loads with
`strict=True`, and that with equal weights and random numbers the outputs in inference, and the
outputs, gradients and running statistics in training, are equal bit for bit. Multiply-adds are
those of convolutions and linear layers for one sample of the size that the spec states.

Lines are those that describe the networks of a family: of its spec without `about:`, `expect:` and
`train:`; of torchvision's file without its documentation and its lists of published weights, and
without what it takes from `torchvision.ops`. Comments and empty lines count in neither.

{compared} of the {all} variants have a counterpart in torchvision, and are identical to it.
"""


@dataclass(frozen=True)
class Row:
    """What is found of one variant; the last two are None where torchvision has no such network."""

    family: str
    name: str
    lines: int
    params: int
    macs: int
    their_lines: int | None = None
    difference: str | None = None
    """How the networks differ or what is wrong with the spec, empty where they are identical."""

    @property
    def verdict(self) -> str:
        if self.difference is None:
            return ""
        return f"no: {self.difference}" if self.difference else "yes"


@cache
def torchvision_names() -> frozenset[str]:
    return frozenset(torchvision.models.list_models(module=torchvision.models))


def rows(names: frozenset[str]) -> Iterator[Row]:
    """The variants of the shipped specs, of `names` or all, each as soon as it is compared."""
    for family, path in shipped.files().items():
        for variant in shipped.variants(path) or (None,):
            name = variant or family
            if not names or {family, name} & names:
                yield row(family, path, variant)
                gc.collect()  # the next network may need the memory of this one


def row(family: str, path: Path, variant: str | None) -> Row:
    name = variant or family
    try:
        graph = cnndsl.check(path, variant)
    except cnndsl.SpecError as e:
        first = next(d for d in e.diagnostics if d.severity == "error")
        return Row(
            family, name, spec_lines(path), 0, 0, difference=f"{first.span}: {first.message}"
        )
    costs = cnndsl.cost(graph)
    known = Row(family, name, spec_lines(path), costs.params, costs.macs)
    if name not in torchvision_names():
        return known
    try:
        found = difference(graph, name)
    except Exception as e:  # a network that fails to run differs; the others are still compared
        found = f"{type(e).__name__}: {' '.join(str(e).split())[:200]}"
    return Row(**{**vars(known), "their_lines": source_lines(name), "difference": found})


# --- lines ---------------------------------------------------------------------------------------


def spec_lines(path: Path) -> int:
    """The lines of a spec that describe the networks, without comments, facts and recipe."""
    key, count = "", 0
    for text in path.read_text(encoding="utf-8").splitlines():
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        if not text[0].isspace():
            key = text.partition(":")[0]
        count += key not in ("about", "expect", "train")
    return count


def source_lines(name: str) -> int:
    """The lines of code of torchvision's file for a network, without its published weights."""
    module = inspect.getmodule(torchvision.models.get_model_builder(name))
    assert module is not None
    return code_lines(inspect.getsource(module))


@cache
def code_lines(source: str) -> int:
    """Lines that hold a token, without comments, docstrings and enumerations of weights."""
    layout = (
        *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
        tokenize.ENDMARKER,
    )
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in layout:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for left_out in uncounted(ast.parse(source)):
        lines -= set(range(left_out.lineno, (left_out.end_lineno or left_out.lineno) + 1))
    return len(lines)


def uncounted(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        if ast.get_docstring(node) is not None:
            yield node.body[0]
        if isinstance(node, ast.ClassDef) and "WeightsEnum" in map(ast.unparse, node.bases):
            yield node


# --- output --------------------------------------------------------------------------------------

HEADER = ("variant", "spec lines", "torchvision lines", "parameters", "multiply-adds", "identical")


def cells(row: Row) -> tuple[str, ...]:
    theirs = "" if row.their_lines is None else str(row.their_lines)
    return row.name, str(row.lines), theirs, f"{row.params:,}", f"{row.macs:,}", row.verdict


def line(cells: tuple[str, ...]) -> str:
    name, spec, theirs, params, macs, verdict = cells
    return f"{name:33} {spec:>10} {theirs:>17} {params:>12} {macs:>16}  {verdict}".rstrip()


def page(found: Iterable[Row]) -> str:
    """docs/zoo.md: a section a family, with its diagram and a table of its variants."""
    families: dict[str, list[Row]] = {}
    for row in found:
        families.setdefault(row.family, []).append(row)
    introduction = INTRODUCTION.format(
        torch=torch.__version__.partition("+")[0],
        torchvision=torchvision.__version__.partition("+")[0],
        compared=sum(row.difference is not None for own in families.values() for row in own),
        all=sum(map(len, families.values())),
    )
    return "\n".join([introduction, *(section(own) for own in families.values())])


def section(own: list[Row]) -> str:
    """One family: where torchvision has none of it, its columns are left out."""
    family = own[0].family
    title = cnndsl.check(shipped.files()[family]).about
    kept = [i for i in range(len(HEADER)) if any(cells(row)[i] for row in own)]
    table = [HEADER, *(cells(row) for row in own)]
    told = ["| " + " | ".join(r[i] for i in kept) + " |" for r in table]
    told.insert(1, "|" + "|".join(" ---: " if 1 <= i <= 4 else " --- " for i in kept) + "|")
    picture = f"images/zoo/{family}.svg"
    return "\n".join(
        [
            f"## {family}\n",
            f"{title} ([{family}.yaml](../specs/{family}.yaml))\n",
            f'<a href="{picture}"><img src="{picture}" alt="{own[0].name}" height="320"></a>\n',
            *told,
            "",
        ]
    )


def thumbnail(family: str, name: str) -> bytes:
    """The diagram of a family's first variant as SVG, its equal blocks drawn once."""
    path = shipped.files()[family]
    graph = cnndsl.check(path, name if name != family or shipped.variants(path) else None)
    return render(make_figure(make_plan(graph)), "svg")


def write(found: list[Row]) -> None:
    folder = DOCS / "images" / "zoo"
    folder.mkdir(parents=True, exist_ok=True)
    first = {row.family: row.name for row in reversed(found)}
    for family, name in first.items():
        (folder / f"{family}.svg").write_bytes(thumbnail(family, name))
    (DOCS / "zoo.md").write_text(page(found), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="a family or a variant")
    parser.add_argument("--write", action="store_true", help="write docs/zoo.md and its diagrams")
    args = parser.parse_args()
    if args.write and args.names:
        parser.error("--write needs all networks")
    torch.set_num_threads(1)  # on small images threads wait for each other
    print(line(HEADER))
    found = []
    for one in rows(frozenset(args.names)):
        found.append(one)
        print(line(cells(one)), flush=True)
    compared = [row for row in found if row.difference is not None]
    same = sum(not row.difference for row in compared)
    print(f"{len(found)} variants; {same} of {len(compared)} are identical to torchvision's")
    if same < len(compared):
        return 1
    if args.write:
        write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
