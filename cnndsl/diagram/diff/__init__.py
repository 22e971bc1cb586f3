"""Two graphs → one diagram of what was added, removed and changed."""

from __future__ import annotations

from cnndsl.diagram.diff.comparing import compare
from cnndsl.diagram.diff.summary import summary

__all__ = ["compare", "summary"]
