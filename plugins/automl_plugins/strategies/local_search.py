"""Strategy ``local_search``: climb from the best of a few random architectures, one decision at a time [1, 2].

A descent starts at the best of ``initial`` random architectures and visits the neighbours of its centre, those that
differ in one decision, in random order. It moves to the first that is better, or looks at all of them and moves to the
best. Where none is better it has found a local optimum, and the next descent begins.

Nothing is evaluated twice: a neighbour that is already known is answered from memory, and the search moves there for
free when it is better. That means the very architecture and not another encoding of the same network, since tables of
trained architectures list a value for each encoding; as soon as the engine answers a trial from another encoding, the
search knows that encodings share their network's value here, and answers them from memory, too.

Where we go beyond the sources:

* Several neighbours may be on their way at once; ``first`` then moves at the first improvement that is told. While the
  last neighbours are awaited, the random start of the next descent is drawn.
* An interval has no neighbours, so each real decision offers four normal steps of a tenth of its range instead.
* In a neighbourhood of more than ``max_neighbours``, as many random changes of one decision stand for it. A local
  optimum there, and one with real decisions, is one as far as was looked.

[1] White, Nolen and Savani. Exploring the loss landscape in neural architecture search. UAI 2021.
[2] Ottelander, Dushatskiy, Virgolin and Bosman. Local search is a remarkably strong baseline for neural architecture
    search. EMO 2021.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, cast

from numpy.random import Generator
from pydantic import Field

from automl import (
    Architecture,
    BaseOptions,
    InvalidArchitecture,
    Problem,
    Proposal,
    RandomChooser,
    Real,
    ReplayChooser,
    SearchSpace,
    Strategy,
    Trial,
    derive_rng,
)

_REDRAWS = 50
_REAL_STEPS = 4
_REAL_STEP = 0.1


class LocalSearch(Strategy):
    """Climb to a local optimum by changes of one decision, then begin again."""

    paper = "White, Nolen and Savani. Exploring the loss landscape in neural architecture search. UAI 2021."

    class Options(BaseOptions):
        """Options of local search."""

        variant: Literal["first", "steepest"] = "first"
        """`first` moves to the first better neighbour, `steepest` to the best of all."""
        initial: Annotated[int, Field(ge=1)] = 10
        """Random architectures at the start of each descent, which begins at the best of them."""
        at_optimum: Literal["restart", "continue"] = "restart"
        """At a local optimum, `restart` at random or `continue` from the best architecture whose neighbours have not
        been visited."""
        identity: Literal["auto", "architecture", "network"] = "auto"
        """What is never evaluated twice: the exact architecture, or every encoding of the same network; `auto` begins
        with the first and turns to the second when another encoding answers a trial."""
        max_neighbours: Annotated[int, Field(ge=1)] = 1000
        """Neighbours that are visited at most; larger neighbourhoods are sampled."""

    options: Options

    def __init__(self, problem: Problem, options: Any = None) -> None:
        super().__init__(problem, options)
        self.descent = 0
        self.centre: Trial | None = None
        self._is_shared = self.options.identity == "network"
        self._known: dict[Architecture, Trial] = {}
        self._networks: dict[str, Trial] = {}
        self._expanded: set[Architecture | str] = set()
        self._starts: defaultdict[int, list[Trial]] = defaultdict(list)
        self._keys: dict[Architecture, str] = {}
        self._around = _Neighbours(iter(()))
        self._place = 0

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal | None:
        """Return the next neighbour of the centre, or a random architecture for the start of a descent."""
        waiting = _Waiting(frozenset(t.architecture for t in pending), frozenset(t.key for t in pending))
        if self.centre is not None:
            neighbour = self._next_neighbour(waiting)
            if neighbour is not None:
                note = {"operator": "neighbour", "parents": [self.centre.number], "descent": self.descent}
                return Proposal(neighbour, note=note)
        for descent in (self.descent, self.descent + 1):
            drawn = sum(_is_start(trial) and trial.note.get("descent") == descent for trial in pending)
            is_over = descent == self.descent and self.centre is not None
            if not is_over and len(self._starts[descent]) + drawn < self.options.initial:
                return Proposal(self._sample(rng, waiting), note={"operator": "random", "descent": descent})
        return None

    def tell(self, trial: Trial) -> None:
        """Remember the trial, and move as far as what is known allows."""
        self._remember(trial)
        descent = trial.note.get("descent", self.descent)
        is_founder = trial.note.get("operator") == "start" and self.centre is None  # of a warm start
        if _is_start(trial) or is_founder:
            self._starts[descent].append(trial)
        elif self.options.variant == "first" and descent == self.descent and self._is_better(trial):
            self._move(trial)
        self._settle()

    def _remember(self, trial: Trial) -> None:
        """Keep the first answer, and notice when it came from another encoding of the same network."""
        is_new = trial.architecture not in self._known
        is_repeat = trial.duplicate_of is not None and trial.key in self._networks
        if self.options.identity == "auto" and is_new and is_repeat:
            self._is_shared = True
        self._known.setdefault(trial.architecture, trial)
        self._networks.setdefault(trial.key, trial)

    def _recall(self, architecture: Architecture) -> Trial | None:
        """Return the trial that answers for ``architecture``, if there is one.

        That of another encoding answers as if it had been this one, whose neighbours may be other networks.
        """
        found = self._known.get(architecture)
        if found is None and self._is_shared:
            found = self._networks.get(self._key(architecture))
            return None if found is None else replace(found, architecture=architecture)
        return found

    def _settle(self) -> None:
        """Choose centres until one has a neighbour that nobody knows, or a start lacks samples."""
        while True:
            if self.centre is None:
                if len(self._starts[self.descent]) < self.options.initial:
                    return
                self._move(min(self._starts.pop(self.descent), key=lambda trial: trial.rank))
            found = self._look_around()
            if found == "unknown":
                return
            if found is None:
                self._leave()
            else:
                self._move(found)

    def _look_around(self) -> Trial | Literal["unknown"] | None:
        """Return the known neighbour to move to, ``None`` at a local optimum, or that a neighbour is not known yet."""
        while (neighbour := self._around.at(self._place)) is not None:
            trial = self._recall(neighbour)
            if trial is None:
                return "unknown"
            if self.options.variant == "first" and self._is_better(trial):
                return trial
            self._place += 1
        if self.options.variant == "first":
            return None
        seen = [self._recall(neighbour) for neighbour in self._around.listed[: self._place]]
        better = [trial for trial in seen if trial is not None and self._is_better(trial)]
        return min(better, key=lambda trial: trial.rank, default=None)

    def _is_better(self, trial: Trial) -> bool:
        """Say whether to move from the centre to ``trial``; who continues does not come back to where it has been."""
        if self.centre is None or not trial.rank < self.centre.rank:
            return False
        return self.options.at_optimum == "restart" or not self._is_expanded(trial)

    def _is_expanded(self, trial: Trial) -> bool:
        return trial.architecture in self._expanded or (self._is_shared and trial.key in self._expanded)

    def _move(self, centre: Trial) -> None:
        """Make ``centre`` the centre, its neighbours in a random order that every ask agrees on."""
        rng = derive_rng(self.problem.seed, "local_search", self.descent, centre.number)
        self._expanded |= {centre.architecture, centre.key}
        self.centre, self._place = centre, 0
        self._keys = {}
        self._around = _Neighbours(_neighbours(self.problem.space, centre.architecture, self.options, rng))

    def _leave(self) -> None:
        """Leave a local optimum."""
        if self.options.at_optimum == "continue":
            left = [trial for trial in self._known.values() if not self._is_expanded(trial)]
            if left:
                self._move(min(left, key=lambda trial: trial.rank))
                return
        self.centre = None
        self.descent += 1

    def _next_neighbour(self, waiting: _Waiting) -> Architecture | None:
        place = self._place
        while (neighbour := self._around.at(place)) is not None:
            if self._is_unknown(neighbour, waiting):
                return neighbour
            place += 1
        return None

    def _sample(self, rng: Generator, waiting: _Waiting) -> Architecture:
        """Draw an architecture that is not known; a known one when the space is (nearly) tried up."""
        for _ in range(_REDRAWS):
            drawn = self.problem.space.sample(rng)
            if self._is_unknown(drawn, waiting):
                break
        return drawn

    def _is_unknown(self, architecture: Architecture, waiting: _Waiting) -> bool:
        if self._recall(architecture) is not None or architecture in waiting.architectures:
            return False
        return not (self._is_shared and waiting.keys and self._key(architecture) in waiting.keys)

    def _key(self, architecture: Architecture) -> str:
        if architecture not in self._keys:
            self._keys[architecture] = self.problem.space.key(architecture)
        return self._keys[architecture]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What is on its way."""

    architectures: frozenset[Architecture]
    keys: frozenset[str]


class _Neighbours:
    """The neighbours of one architecture, listed as far as somebody asked."""

    def __init__(self, source: Iterator[Architecture]) -> None:
        self._source = source
        self.listed: list[Architecture] = []

    def at(self, place: int) -> Architecture | None:
        """Return the neighbour at ``place``, or ``None`` behind the last."""
        while len(self.listed) <= place:
            following = next(self._source, None)
            if following is None:
                return None
            self.listed.append(following)
        return self.listed[place]


def _neighbours(
    space: SearchSpace[Any], centre: Architecture, options: LocalSearch.Options, rng: Generator
) -> Iterator[Architecture]:
    """Yield the neighbours of ``centre`` in random order, or random ones where there are too many to list."""
    decisions = space.decisions(centre)
    count = sum(decision.size - 1 for decision in decisions if not isinstance(decision, Real))
    if count > options.max_neighbours:
        for _ in range(options.max_neighbours):
            yield space.mutate(centre, rng)
        return
    listed = list(space.neighbours(centre))
    for decision in decisions:
        if isinstance(decision, Real) and decision.size > 1:
            listed += _real_steps(space, centre, decision, rng)
    for place in rng.permutation(len(listed)):
        yield listed[int(place)]


def _real_steps(space: SearchSpace[Any], centre: Architecture, decision: Real, rng: Generator) -> list[Architecture]:
    """Return `_REAL_STEPS` architectures a normal step away along one interval, on the decision's own scale."""
    forth, back = (math.log, math.exp) if decision.log else (float, float)
    low, high, here = forth(decision.low), forth(decision.high), forth(cast(float, centre[decision.name]))
    found = []
    for step in rng.normal(scale=_REAL_STEP * (high - low), size=_REAL_STEPS):
        value = min(decision.high, max(decision.low, back(min(high, max(low, here + float(step))))))
        try:
            found.append(space.record(ReplayChooser({**centre, decision.name: value}, RandomChooser(rng))))
        except InvalidArchitecture:
            continue
    return found


def _is_start(trial: Trial) -> bool:
    return trial.note.get("operator") == "random"
