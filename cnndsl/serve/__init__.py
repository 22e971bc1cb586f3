"""`cnndsl serve`: a page that checks a spec as one writes it.

The page's sources are in `page/`, what is built from them in `static/`; `docs/serve.md` says how.
"""
