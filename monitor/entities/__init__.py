"""Who is named: the watchlist and the resolver that finds its companies in a text.

To watch another company, add a row to the watchlist file (columns ``name``, ``aliases`` separated
by semicolons, optional ``ticker`` and ``isin``) and load it again: nothing in the code changes. If
a name is also an ordinary word, add that word to ``ORDINARY`` (needs a capital) or ``TREACHEROUS``
(needs a cue where a capital says nothing) in `monitor.entities.words`, with a line in
``tests/unit/entities/test_resolver.py``.
"""

from monitor.entities.resolver import Resolver
from monitor.entities.watchlist import Watchlist, load_watchlist

__all__ = ["Resolver", "Watchlist", "load_watchlist"]
