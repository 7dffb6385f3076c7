"""What happened: the risk event rules, and the joining of reports into stories (`join`).

To add a rule, add one entry to a file of ``pack/``; no code changes. It needs an ``id``, a ``label``, a
``family``, a ``severity`` (1 notable .. 5 existential; the story rule alerts from 3), patterns in ``en`` or
``zh``, and texts it must match (``samples``) and must not match (``not``):
``tests/contract/test_risk_pack.py`` runs them all. Optional are ``event`` (when several rules tell one
event), ``polarity``, ``confidence``, ``grades`` (another severity by what else the title says, such as the
size of a fine), ``about`` (the company stands "before" or "after" the words), ``compare``, ``exclude`` (a
sentence with these words is no event) and ``resolved`` (with these words, the event is over). A pattern is
a regular expression over the text in lower case; it is held to word boundaries in English, and must contain
a literal of three letters (or one Chinese character) that every match has, because the pack looks for those
literals first and runs only the patterns whose literal is there. Use general words, never the name of a
company. ``episodes`` says which families are one alert of a company that grows.
"""

from monitor.stories.risk import RiskPack
from monitor.stories.rules import RiskRule

__all__ = ["RiskPack", "RiskRule"]
