"""Faults against a real broker, a real database and three real processes; what was promised is counted after.

``bash tests/run chaos --seconds 1200 --seed 1`` prints one line of JSON.
"""
