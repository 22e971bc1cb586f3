"""Graph → what a network costs, without running it."""

from __future__ import annotations

from cnndsl.costs.field import Field
from cnndsl.costs.memory import Memory
from cnndsl.costs.smallest import min_input, replay
from cnndsl.costs.totals import Cost, LayerCost, cost, layer_cost

__all__ = ["Cost", "Field", "LayerCost", "Memory", "cost", "layer_cost", "min_input", "replay"]
