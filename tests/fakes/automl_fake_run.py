"""Run or resume a study in a process of its own: ``python automl_fake_run.py STORAGE DEFINITION_JSON``."""

from __future__ import annotations

import json
import sys

from automl.api import go_on, load_study, start
from automl.definition import parse_definition
from automl.errors import StudyNotFound
from automl.storage.store import Store


def main(storage: str, text: str) -> None:
    definition = parse_definition(json.loads(text))
    try:
        study = load_study(definition.name or "", store=Store(storage))
    except StudyNotFound:
        start(definition, storage=storage)
    else:
        go_on(study)


if __name__ == "__main__":
    main(*sys.argv[1:])
