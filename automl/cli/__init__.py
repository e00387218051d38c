"""The command line. Each command is a module of this package; `automl.cli._app` finds it when it is typed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

INTERRUPTED = "interrupted; nothing is lost: type the same command again"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (see `automl.errors.ExitCode`).

    An exception that is no `AutomlError` is a mistake of ours and is let through, so that it shows its traceback.
    """
    try:
        from automl.cli._app import run_app

        folder = str(Path.cwd())
        if folder not in sys.path:
            # So that `--space my_module:MySpace` finds a module of this folder, as `python -m automl` does.
            sys.path.append(folder)
        return run_app(arguments)
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        return 130
