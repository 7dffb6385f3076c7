"""Backtests: recorded news through the same pipeline, scored against events that had to be seen.

A kind of event is answered by the families that ``kinds.yaml`` gives for its words: to score another kind,
add a line there.
"""

RESULT, REPORT, VERDICT_FILE = "backtest.json", "report.html", "verdicts.csv"
