"""``python -m automl`` is the command ``automl``."""

import sys

from automl.cli import main

if __name__ == "__main__":
    sys.exit(main())
