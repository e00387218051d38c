"""The trials of a study as a table of pandas, which is imported here alone and need not be installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError
from automl.storage.records import TrialRecord
from automl.trial import Trial

if TYPE_CHECKING:
    import pandas

    from automl.study import Study


def trials_dataframe(study: Study, *, decisions: bool = False) -> pandas.DataFrame:
    """Return `Study.trials_dataframe`."""
    try:
        import pandas
    except ImportError:
        raise ConfigurationError(
            "a table of trials needs pandas, which is not installed; run `pip install pandas`, or read `study.trials`"
        ) from None
    records = study.records
    metrics = _metrics(study, records)
    rows = [_row(record, record.trial(study.goal), metrics) for record in records]
    frame = pandas.DataFrame(rows, columns=_columns(metrics)).set_index("number")
    if not decisions:
        return frame
    names = list(dict.fromkeys(name for record in records for name in record.architecture))
    answers = [{f"decision.{name}": _cell(record.architecture, name) for name in names} for record in records]
    return frame.join(pandas.DataFrame(answers, index=frame.index))


def _columns(metrics: list[str]) -> list[str]:
    after = ("is_feasible", "fidelity", "seconds", "duplicate_of", "is_cached", "operator", "error", "key")
    return ["number", "state", *metrics, *after, "architecture"]


def _metrics(study: Study, records: list[TrialRecord]) -> list[str]:
    """Return the names of all metrics, the objectives first."""
    objectives = [objective.metric for objective in study.goal.objectives]
    return list(dict.fromkeys([*objectives, *(name for record in records for name in record.metrics)]))


def _row(record: TrialRecord, trial: Trial, metrics: list[str]) -> dict[str, Any]:
    return {
        "number": record.number,
        "state": record.state,
        **{name: record.metrics.get(name) for name in metrics},
        "is_feasible": trial.is_feasible,
        "fidelity": record.fidelity,
        "seconds": None if record.finished is None else record.finished - record.started,
        "duplicate_of": record.duplicate_of,
        "is_cached": record.is_cached,
        "operator": record.note.get("operator"),
        "error": record.error,
        "key": record.canonical_key,
        "architecture": dict(record.architecture),
    }


def _cell(architecture: Mapping[str, Any], name: str) -> Any:
    value = architecture.get(name)
    return tuple(value) if isinstance(value, list) else value
