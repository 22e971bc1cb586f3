"""Arguments of the commands that use a trained network, and the network they mean."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnndsl.checker import tree_of, written_sizes
from cnndsl.cli.telling import fail, told, usage
from cnndsl.cli.train import divided

if TYPE_CHECKING:
    from cnndsl.training.trained import Trained

TrainedArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN|SPEC", help="The folder of a run, or a spec, whose weights --weights names."
    ),
]
TrainedWeightsOption = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="best|last|FILE|torchvision:NAME",
        help="The weights; for a run its best ones if none are named.",
    ),
]


def warn(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def found(
    source: str,
    weights: str | None,
    variant: str | None,
    set: Sequence[str] | None,
    input: str | None,
    recipe: str | None,
    flags: Mapping[str, Any],
    for_data: bool = False,
    untrained: bool = False,
) -> Iterator[Trained]:
    """The network that the arguments mean; what goes wrong with it is told, with exit code 1.

    `untrained` lets a spec go without weights.
    """
    from cnndsl.training.errors import TrainError

    try:
        with told():
            params, settings = divided(set or (), flags)
            from cnndsl.training.trained import Asked, find_trained, run_folder

            if weights is None and not untrained and run_folder(source) is None:
                tree_of(source)  # which must be there
                usage(f"`{source}` is a spec, which needs `--weights`")
            sizes = written_sizes(input)
            asked = Asked(source, weights, variant, params, sizes, recipe, settings)
            trained = find_trained(asked, warn, for_data)
            yield trained
    except TrainError as e:
        fail(e.message, e.help)
