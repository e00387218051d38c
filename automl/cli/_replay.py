"""Replaying a bundle from the command line: what is refused, progress, the verdict and its exit code."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from automl.api import go_on
from automl.bundles.bundle import Bundle, read_bundle
from automl.bundles.replay import Comparison, compared, definition_of, differences, replay_study
from automl.cli._conduct import carried_out, show_information
from automl.cli._draft import Draft, prepared_study, put_setting
from automl.cli._output import plural, print_json
from automl.cli._program import program
from automl.engine import Stopper
from automl.errors import ConfigurationError, ExitCode, UsageError
from automl.runner import Prepared, run
from automl.storage.store import Store
from automl.study import Study, StudyState
from automl.tracker import Tracker

_SHOWN = 10
_ENDED = (StudyState.COMPLETED, StudyState.EXHAUSTED)

log = logging.getLogger("automl")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the flags of `automl replay` say."""

    bundle: Path
    anyway: bool
    tolerance: float
    devices: Sequence[str] | None
    settings: Sequence[str]
    storage: str


def replay_and_report(wish: Wish, *, as_json: bool, quiet: bool) -> None:
    """Replay a bundle, print how it compares, and exit with its code.

    Raises:
        AutomlError: it is no bundle, or cannot be replayed here; nothing was written.
        typer.Exit: a trial differs, or the replay was interrupted.
    """
    show_information(as_json=as_json, quiet=quiet)
    bundle = read_bundle(wish.bundle)
    prepared = _prepared(bundle, wish)
    _refuse_differences(bundle, prepared, wish)
    for caveat in bundle.manifest.caveats:
        log.warning("the replay may differ: %s", caveat)
    study, is_new = replay_study(bundle, prepared, Store(wish.storage))

    def work(trackers: Sequence[Tracker], stopper: Stopper) -> object:
        if is_new:
            return run(study, prepared, extra_trackers=trackers, stopper=stopper)
        return None if study.state in _ENDED else go_on(study, extra_trackers=trackers, stopper=stopper)

    if carried_out(study, work, storage=wish.storage, quiet=quiet):
        again = f"{program()} replay {shlex.quote(str(wish.bundle))} --storage {shlex.quote(wish.storage)}"
        print(f"interrupted; continue with: {again}", file=sys.stderr)
        raise typer.Exit(ExitCode.INTERRUPTED)
    found = compared(bundle, study, wish.tolerance)
    if as_json:
        told = {"study": study.name, "storage": study.store.display_url, "is_same": found.is_same}
        print_json({**told, **asdict(found), "largest": found.largest if found.largest < float("inf") else None})
    else:
        _print(found, study, wish)
    if not found.is_same:
        raise typer.Exit(ExitCode.NOT_AS_EXPECTED)


def _prepared(bundle: Bundle, wish: Wish) -> Prepared:
    """Return the checked components of the study, with the settings that say where its data are here."""
    draft = Draft(None, definition_of(bundle, wish.devices).model_dump())
    for text in wish.settings:
        if not text.startswith(("task.", "execution.", f"{draft.values['task']['name']}.")):
            why = "a replay has its study's settings; only those of task and execution may differ"
            raise UsageError(f"--set {text}: {why}")
        put_setting(draft, text)
    return prepared_study(draft)


def _refuse_differences(bundle: Bundle, prepared: Prepared, wish: Wish) -> None:
    found = differences(bundle, prepared)
    if found and not wish.anyway:
        listed = "\n  ".join(found)
        raise ConfigurationError(
            f"{wish.bundle} was made with other versions or data, so that the replay would prove nothing:\n  {listed}\n"
            "  install those versions and get those data, or see what comes out with --anyway"
        )
    for line in found:
        log.warning("%s", line)


def _print(found: Comparison, study: Study, wish: Wish) -> None:
    if found.is_same:
        off = f" (metrics differ by at most {found.largest:.2g}, relatively)" if found.largest else ""
        print(f"the replay found the same: {plural(found.compared, 'trial')} compared{off}")
    else:
        print(f"the replay differs in {plural(len(found.different), 'trial')} of {found.compared}:")
        for line in found.different[:_SHOWN]:
            print(f"  {line}")
        if len(found.different) > _SHOWN:
            print(f"  and {len(found.different) - _SHOWN} more (--json shows all)")
        if found.missing:
            print(f"  {plural(found.missing, 'trial')} of the bundle did not come up")
        if not wish.tolerance and 0 < found.largest < 1e-3:
            print(f"metrics differ by at most {found.largest:.2g}, as between machines; see --tolerance")
    print(f"it is study {study.name} in {study.store.display_url}")
