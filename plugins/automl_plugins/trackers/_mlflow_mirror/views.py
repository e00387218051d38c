"""Saved views of the MLflow UI: which runs of a study to list, in which order and with which columns.

MLflow 3 keeps a saved view as a tag of the experiment, ``mlflow.sharedViewState.KEY``, whose value is JSON: a name and
the state of the page of runs, itself JSON. The button *Views* of that page lists them by name, and the address with
``viewStateShareKey=KEY`` opens one. An MLflow that does not know them ignores the tags. This module knows nothing of
MLflow itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from automl import Goal
from automl_plugins.trackers._mlflow_mirror.content import key_of

PREFIX = "mlflow.sharedViewState."

STUDY, TOP, FRONT, STOPPED, MODELS, STRATEGIES = "study", "top", "front", "stopped", "models", "strategies"
TITLES: Mapping[str, str] = {
    STUDY: "the run, with its curves",
    TOP: "top trials",
    FRONT: "Pareto front",
    STOPPED: "trials that failed or were rejected",
    MODELS: "trained models",
    STRATEGIES: "strategies",
}
"""What a page shows, by the last part of its key; `STUDY` is a run and no view."""

_LIMIT = 5_000
"""MLflow's, of the value of a tag."""
_MOST_DECISIONS = 8
_COMPARISONS = {"==": "="}
_TRAINING = "workflowType=machine_learning"
"""Makes the UI show what concerns training, instead of language models."""


@dataclass(frozen=True, slots=True)
class View:
    """One saved view of a study or a comparison.

    Attributes:
        kind: which one; a key of `TITLES`.
        study: name of the study, in the view's own name.
        uid: of the study.
        created: seconds since 1970; the study's, so that the same study always gives the same view.
        run: id of the study's run, of use to our own links; MLflow ignores it.
        conditions: what a run must satisfy, joined by ``and``.
        columns: ids of the columns, from the left.
        order: id of the column to sort by.
        is_ascending: in which direction.
    """

    kind: str
    study: str
    uid: str
    created: float
    run: str
    conditions: Sequence[str]
    columns: Sequence[str]
    order: str
    is_ascending: bool = False

    @property
    def tag(self) -> str:
        """Key of the experiment's tag."""
        return PREFIX + view_key(self.uid, self.kind)

    @property
    def value(self) -> str:
        """Value of the experiment's tag; empty when it is longer than MLflow allows."""
        state = {
            "searchFilter": " and ".join([f"tags.`automl.study_uid` = '{self.uid}'", *self.conditions]),
            "orderByKey": self.order,
            "orderByAsc": self.is_ascending,
            "selectedColumns": list(self.columns),
            "columnOrder": list(self.columns),
        }
        moment = int(self.created * 1000)
        envelope = {
            "name": f"{self.study}: {TITLES[self.kind]}",
            "createdAt": moment,
            "updatedAt": moment,
            "state": json.dumps(state),
            "run": self.run,
        }
        text = json.dumps(envelope)
        return text if len(text) <= _LIMIT else ""


def view_key(uid: str, kind: str) -> str:
    """Return the key of a view, as in its address.

    >>> view_key("4e6af3", "top")
    '4e6af3-top'
    """
    return f"{uid}-{kind}"


def study_views(name: str, uid: str, created: float, run: str, goal: Goal, decisions: Sequence[str] = ()) -> list[View]:
    """Return the views of a study's trials: the best, the Pareto front if there is one, and those without a result.

    The best are all that are feasible and no repeats, by the objective; of several objectives by `automl.rank`, which
    only the very best have. ``decisions`` become columns if they are few.
    """
    is_single = len(goal.objectives) == 1
    first = goal.objectives[0]
    limits = [metric(limit.metric) for limit in goal.constraints]
    measured = list(dict.fromkeys([*(metric(each.metric) for each in goal.objectives), *limits]))
    tail = [tag("operator")]
    if len(decisions) <= _MOST_DECISIONS:
        tail += [f"params.`{key_of(each)}`" for each in decisions]
    feasible = [
        f"{metric(limit.metric)} {_COMPARISONS.get(limit.comparison, limit.comparison)} {limit.bound:.15g}"
        for limit in goal.constraints
    ]
    done = ["attributes.status = 'FINISHED'", f"{tag('is_repeat')} = 'false'", *feasible]
    trials = f"{tag('kind')} = 'trial'"
    by_goal = (metric(first.metric), first.direction == "min")
    by_rank = by_goal if is_single else (tag("rank"), True)
    standing = [tag("rank")] if is_single else [tag("rank"), tag("pareto")]
    fields = (name, uid, created, run)
    views = [View(TOP, *fields, [trials, *done], [*standing, *measured, *tail], *by_rank)]
    if not is_single:
        members = [trials, f"{tag('pareto')} = 'true'"]
        views.append(View(FRONT, *fields, members, [*standing, *measured, *tail], *by_goal))
    stopped = [trials, "attributes.status != 'FINISHED'", "attributes.status != 'RUNNING'"]
    reasons = [tag("trial_state"), tag("error_kind"), tag("error"), *measured, tag("operator")]
    views.append(View(STOPPED, *fields, stopped, reasons, "attributes.start_time"))
    return views


def models_view(name: str, uid: str, created: float, run: str, metrics: Sequence[str]) -> View:
    """Return the view of a study's trained models, with their ``metrics``."""
    columns = [tag("trial"), tag("seed"), *(metric(each) for each in metrics)]
    return View(MODELS, name, uid, created, run, [f"{tag('kind')} = 'model'"], columns, "attributes.start_time")


def metric(name: str) -> str:
    """Return the id of a metric's column."""
    return f"metrics.`{key_of(name)}`"


def tag(name: str) -> str:
    """Return the id of the column of one of our tags."""
    return f"tags.`automl.{name}`"


def local_address(experiment: str, uid: str, kind: str) -> str:
    """Return the address of a view within the UI, for links in descriptions."""
    mode = "&compareRunsMode=CHART" if kind == STRATEGIES else ""
    key = quote(view_key(uid, kind), safe="")
    return f"#/experiments/{experiment}/runs?viewStateShareKey={key}&{_TRAINING}{mode}"


def run_address(experiment: str, run: str) -> str:
    """Return the address of a run within the UI: its description and final values."""
    return f"#/experiments/{experiment}/runs/{run}?{_TRAINING}"


def addresses(experiment: str, tags: Mapping[str, str], uid: str) -> list[tuple[str, str]]:
    """Return title and address within the UI of each page about a study that the experiment's ``tags`` tell of."""
    found: list[tuple[str, str]] = []
    for kind in TITLES:
        text = tags.get(PREFIX + view_key(uid, kind))
        if text is None:
            continue
        run = _run_of(text)
        if run and not found:
            found.append((TITLES[STUDY], run_address(experiment, run)))
        found.append((TITLES[kind], local_address(experiment, uid, kind)))
    return found


def pages_at(base: str, experiment: str, tags: Mapping[str, str], uid: str) -> list[tuple[str, str]]:
    """Return the same with whole addresses, of the UI at ``base``."""
    return [(title, f"{base}/{address}") for title, address in addresses(experiment, tags, uid)]


def _run_of(text: str) -> str:
    """Return the run that a view names; a view that was changed in the UI names none."""
    try:
        return str(json.loads(text).get("run", ""))
    except (ValueError, AttributeError):
        return ""
