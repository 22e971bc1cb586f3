"""Networks side by side, as a table and a picture, and where the cost of one network lies.

All of it is computed from the graphs, without torch.
"""
