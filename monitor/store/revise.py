"""Write the migration from the last one to ``schema.py``: ``python -m monitor.store.revise "what changed"``.

Read what it wrote before you keep it: a renamed column looks like one dropped and one added.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from monitor.store.migrate import alembic_config, upgrade


def revise(message: str, config: Config | None = None) -> Path | None:
    """Write the next migration; return its file, or ``None`` when nothing changed.

    Parameters
    ----------
    message
        What changed; names the file.
    config
        Where the migrations are: those of this package unless given.
    """
    config = config or alembic_config()
    scripts = ScriptDirectory.from_config(config)
    number = int(scripts.get_current_head() or 0) + 1
    changed = False

    def only_changes(_context: object, _revision: object, directives: list[object]) -> None:
        nonlocal changed
        changed = not directives[0].upgrade_ops.is_empty()  # type: ignore[attr-defined]
        if not changed:
            directives.clear()

    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/scratch.db")
        try:
            upgrade(engine, config=config)
            with engine.begin() as connection:
                config.attributes["connection"] = connection
                script = command.revision(
                    config,
                    message,
                    autogenerate=True,
                    rev_id=f"{number:04d}",
                    process_revision_directives=only_changes,  # type: ignore[arg-type]
                )
        finally:
            engine.dispose()
    if not changed:
        return None
    assert script is not None and not isinstance(script, list)
    return Path(script.path)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print('usage: python -m monitor.store.revise "what changed"', file=sys.stderr)
        return 2
    path = revise(arguments[0])
    print("schema.py and the migrations agree" if path is None else f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
