"""What can go wrong in drawing."""

from __future__ import annotations


class RenderError(Exception):
    """A diagram that could not be rendered; `help` says what to do about it."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help


class Oversize(RenderError):  # noqa: N818 - named for what it says
    """A diagram that would take too long to lay out."""

    def __init__(self, message: str) -> None:
        help = "close blocks with `--depth 0`, put what repeats in blocks, or write DOT"
        super().__init__(f"the diagram has {message}", help)
