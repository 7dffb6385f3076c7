"""``python -m monitor.cli``: what the supervisor starts."""

from monitor.cli import main

main()
