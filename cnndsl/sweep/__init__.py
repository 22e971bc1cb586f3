"""Search: many candidates of one spec, filtered by what they cost, trained and compared.

Nothing here imports torch before a trial begins: candidates are judged statically.
"""
