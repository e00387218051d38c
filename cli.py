"""Run `automl` from a checkout that is not installed: `python cli.py search …`."""

import sys
from importlib.util import find_spec
from pathlib import Path

# At import, not under the guard below: a spawned worker imports this file and needs the same path.
for _root, _package in (("plugins", "automl_plugins"), ("search_spaces", "automl_spaces")):
    if find_spec(_package) is None:
        sys.path.insert(0, str(Path(__file__).resolve().parent / _root))

if __name__ == "__main__":
    _missing = [name for name in ("typer", "pydantic", "sqlalchemy", "torch") if find_spec(name) is None]
    if _missing:
        sys.exit(f"error: {', '.join(_missing)} not installed; run `make setup`, then `.venv/bin/automl`")
    from automl.cli import main

    sys.exit(main())
