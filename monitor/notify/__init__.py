"""Telling people: the message about an alert, its channels, and the stage that sends it.

To add a channel: write a class with ``name`` and ``send`` (`monitor.notify.port`), add one line to
``CHANNELS`` in `monitor.notify.channels`, and one sample to ``tests/contract/test_channels.py``.
"""
