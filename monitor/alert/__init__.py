"""Alerts: few, early, explained.

What is wrong is said by rules (`story`, `exposure`, `surge`, `absence`, `compound`), each a module of one
kind that yields findings; how an alert lives is one more (`states`): it opens once an event, grows evidence,
resolves when the event is over. Rules are written in YAML: `ruleschema` says what may be written, `rulefile`
reads it and explains mistakes, `rulebind` looks names up and makes a `ruleset`, `rulebook` follows the file.
The stage asks the rules; what a kind needs of the store it gets from `surging` and `silent`.

To add a kind: a frozen rule with a ``name``, a ``description`` and a ``life`` whose method yields
`monitor.alert.states.Finding`; its model in `monitor.alert.ruleschema.KINDS`; a case in
`monitor.alert.rulebind`; the call in `monitor.alert.stage`; and an example in ``deploy/docs/rules.md``,
without which a test fails.
"""
