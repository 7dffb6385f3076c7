"""What happened: the risk event rules (and, later, the joining of near-duplicates into stories).

To add a rule, add one entry to ``risk.yaml``; no code changes. It needs an ``id``, a ``label``, a
``family``, a ``severity`` (1 notable .. 5 existential), patterns in ``en`` or ``zh``, and texts it
must match (``sample``) and must not match (``not_sample``): ``tests/contract/test_risk_pack.py``
runs them all. A pattern is a regular expression over the text in lower case; it is held to word
boundaries in English, and must contain a literal of three letters (or one Chinese character) that
every match has, because the pack looks for those literals first and runs only the patterns whose
literal is there. Use general words, never the name of a company.
"""

from monitor.stories.risk import RiskPack
from monitor.stories.riskfile import RiskRule

__all__ = ["RiskPack", "RiskRule"]
