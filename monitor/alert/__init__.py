"""Alerts: few, early, explained.

Two families, each one module that says whether something is wrong (`story`, `surge`), and one that knows how
an alert lives (`states`): it opens once an event, grows evidence, resolves when the event is over. To add a
rule, write a function that yields `monitor.alert.states.Finding` and call it in `monitor.alert.stage`.
"""
