"""A correlation in MLflow: the figures and the files of its report, on the run of its study.

They are made from the store when the study has ended, so that the same study always gives the same run.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from automl import AutomlError, CorrelationReport, Study, correlation_files, correlation_report
from automl_plugins.trackers._mlflow_mirror.content import Point

FOLDER = "correlation"

_ENDED = ("completed", "exhausted")
_ESTIMATES = ("spearman", "kendall", "top_kendall", "gain")


@dataclass(frozen=True, slots=True)
class Attachments:
    """What is put on a run: metrics, and files of the folder `FOLDER`."""

    points: list[Point] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


def correlation_attachments(study: Study, state: str, moment: float) -> Attachments:
    """Return what the report of a finished correlation adds to its run; nothing for another study.

    ``moment`` is the time of all points. A report that cannot be made, as when a component is no longer installed, is
    left out, with a line on standard error.
    """
    if study.definition.correlation is None or state not in _ENDED:
        return Attachments()
    try:
        report = correlation_report(study)
        return Attachments(list(correlation_points(report, moment)), correlation_files(report))
    except AutomlError as error:
        sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} no report of {study.name}: {error}\n")
        return Attachments()


def correlation_points(report: CorrelationReport, moment: float) -> Iterator[Point]:
    """Yield the figures of each score, under names such as ``spearman/naswot``, at the size of the sample."""
    for finding in report.findings:
        found = {kind: getattr(finding, kind) for kind in _ESTIMATES}
        values = {kind: each.value for kind, each in found.items() if each is not None}
        # MLflow forbids the sign in keys.
        values |= {f"precision_at_{size.replace('%', '_percent')}": share for size, share in finding.precision.items()}
        if finding.seconds is not None:
            values["seconds"] = finding.seconds
        for kind, value in values.items():
            if math.isfinite(value):
                yield Point(f"{kind}/{finding.name}", value, report.architectures, moment)
