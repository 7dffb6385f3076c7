"""Who is named: the watchlist and the resolver that finds its companies in a text.

To watch another company, add a row to the watchlist file (columns: `watchlist.COLUMNS`) and load it again:
nothing in the code changes. Long names will do: `derive` makes the short forms that the news uses, and
says what a text must show before one of them counts.

If a name that the watchlist states is also an ordinary word, add that word to ``ORDINARY`` (needs a
capital) or ``TREACHEROUS`` (needs a cue where a capital says nothing) in `monitor.entities.words`; if a
short form is a place, a generic word or an abbreviation of something else, to `monitor.entities.vague`;
with a line in ``tests/unit/entities``. ``foreshock entities find`` says what is found and why,
``foreshock entities evaluate`` how well.
"""

from monitor.entities.resolver import Found, Resolver
from monitor.entities.watchlist import Watchlist, load_watchlist

__all__ = ["Found", "Resolver", "Watchlist", "load_watchlist"]
