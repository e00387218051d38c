"""Strategy ``rl_controller``: a policy over decisions that learns from rewards [1, 2, 3].

The policy answers the walk of the space, and a walk that is invalid is drawn again. A finished trial's reward is
credited to the answers of its walk, with a moving average as baseline; when a batch is full, the policy moves uphill.

What is learned from, and what is not (our choices where the papers say nothing):

* Log-probabilities are those of the sampled answers: neither the drawing again nor what the space makes of the answers
  afterwards (repair, pruning) enters them.
* The note of a proposal holds the policy's version and the log-probability of each answer, so that a trial that is told
  after later updates can be weighted by what it is likely to be now.
* A trial without a reward (failed, pruned, rejected, infeasible, not a number) counts as the worst reward so far;
  before there is one, it teaches nothing.
* A repeat is learned from like any other sample: it was drawn from the policy.
* A trial that the policy did not draw (the engine's neighbours) is not: its chance to be drawn is unknown.

[1] Zoph and Le. Neural architecture search with reinforcement learning. 2017.
[2] Pham et al. Efficient neural architecture search via parameter sharing. 2018.
[3] Dong and Yang. NAS-Bench-201. 2020. (The factored REINFORCE baseline.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Annotated, Any, Literal

from numpy.random import Generator
from pydantic import Field

from automl import BaseOptions, ConfigurationError, InvalidArchitecture, Problem, Proposal, Strategy, Trial, derive_rng
from automl_plugins.strategies._rl.factored import FactoredPolicy
from automl_plugins.strategies._rl.learning import Learner, Rule, Sample
from automl_plugins.strategies._rl.policy import Limit, Policy, PolicyChooser
from automl_plugins.strategies._rl.presets import (
    PRESET_OF,
    PRESETS,
    Algorithm,
    OptimiserName,
    PolicyName,
    PresetName,
    Settings,
)
from automl_plugins.strategies._rl.rewards import Reward, RewardName

_WALKS = 1_000

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]


class RlControllerOptions(BaseOptions):
    """Options of the controller. Those whose default is none take the preset's value."""

    preset: PresetName | None = None
    """Published settings. The options whose default is none take their value from here. By default those that were
    published for the policy: `tabular_nas_bench_201`, with `lstm` `zoph_cnn`, with `lstm_attention` `enas_micro`."""
    policy: PolicyName | None = None
    """``factored`` (independent decisions), ``lstm``, or ``lstm_attention`` (by attention for index and subset)."""
    algorithm: Algorithm | None = None
    """``reinforce`` or ``ppo``."""
    optimiser: OptimiserName | None = None
    """``adam``, or ``ascent`` (plain gradient ascent, which rewards of another scale make faster or slower)."""
    learning_rate: Positive | None = None
    """Step size."""
    adam_betas: tuple[Share, Share] | None = None
    """Decay of Adam's two moments."""
    adam_epsilon: Positive | None = None
    """Adam's epsilon."""
    baseline_decay: Share | None = None
    """Decay of the moving average of rewards that is subtracted."""
    entropy_weight: NotNegative | None = None
    """Weight of the policy's entropy, in nats."""
    entropy_in_reward: bool = False
    """Add the weighted entropy to the reward, and so to the baseline, as ENAS's code does, instead of to the loss."""
    samples_per_step: Count | None = None
    """Samples over which a gradient is averaged."""
    accumulate: Count | None = None
    """Such gradients that are added before the policy moves."""
    layers: Count | None = None
    """Layers of the LSTM."""
    units: Count | None = None
    """Units of each layer, and size of embeddings."""
    initial_range: Positive | None = None
    """Weights of the LSTM start uniformly between minus and plus this."""
    initial_logits: NotNegative | None = None
    """Standard deviation of the first logits of ``factored``."""
    tanh_constant: NotNegative | None = None
    """C in logits = C tanh(logits / T), which bounds them; 0 leaves it out."""
    temperature: NotNegative | None = None
    """T in logits = C tanh(logits / T); 0 leaves it out."""
    categorical_reduction: Positive | None = None
    """Divides C for categorical, integer and real decisions (2.5 in ENAS's micro space)."""
    subset_gain: Positive | None = None
    """Multiplies the shaped logits of subsets (2 in ENAS's macro space, whose softmax is over -q and q)."""
    subset_penalty: NotNegative | None = None
    """Weight of the divergence of each item's chance from `subset_rate`, which is subtracted (ENAS's skip penalty)."""
    subset_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of a subset's items that the penalty prefers."""
    index_prior: NotNegative | None = None
    """Index logits lose this times the squared distance back; the nearest item has distance 1."""
    bins: Annotated[int, Field(ge=2)] = 16
    """Longer integer ranges, and real intervals, are cut into so many bins, inside which answers are uniform."""
    max_staleness: Annotated[int, Field(ge=0)] = 0
    """Updates since a trial was drawn up to which it is learned from as if it were drawn now."""
    late: Literal["weight", "drop"] = "weight"
    """What to do with later ones: weight by the likelihood ratio, at most 2, or drop. PPO has its ratio anyway."""
    reward: RewardName = "identity"
    """``identity``, ``cubed`` (accuracy³), ``inverse_ppl2`` (c/perplexity²), ``inverse_ppl``, ``latency_soft`` or
    ``latency_hard`` (accuracy, less where it is slow)."""
    reward_scale: Positive = 1.0
    """Multiplies the objective before the transform: 0.01 makes shares of per cents. Adam hardly notices."""
    reward_constant: Positive = 80.0
    """c of the perplexity rewards."""
    latency_metric: str = ""
    """Metric that the latency rewards read."""
    latency_target: NotNegative = 0.0
    """Latency that they aim at, in the metric's unit."""
    failure_reward: float | None = None
    """Reward of a trial without one; by default the worst reward so far."""
    resample_below: float | None = None
    """Learn nothing from rewards up to this, as code that draws again without counting. The trials still count here.
    The SEP paper's RL baseline draws again up to 0.001."""
    ppo_clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """ε of PPO. Not published for NASNet."""
    ppo_epochs: Count = 4
    """Passes over each batch of PPO. Not published for NASNet."""
    depth_decision: str | None = None
    """An integer decision whose answers are limited at first."""
    depth_rule: Literal["at_most", "exactly"] = "at_most"
    """Whether walks have at most the depth of their stage, or exactly it, as those of the paper do."""
    depth_start: int = 6
    """Its limit at first."""
    depth_increment: Count = 2
    """How much the limit grows."""
    depth_every: Count = 1_600
    """After how many samples it grows. Weights and optimiser go on as they are."""

    def settings(self) -> Settings:
        """Return the preset's values with those that are given in their place."""
        names = [field.name for field in fields(Settings)]
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        return replace(PRESETS[self.preset or PRESET_OF[self.policy or "factored"]], **given)


class RlController(Strategy):
    """Draw architectures from a policy, and make what was rewarded likelier."""

    paper = "Zoph and Le. Neural architecture search with reinforcement learning. ICLR 2017."
    Options = RlControllerOptions

    options: RlControllerOptions

    def __init__(self, problem: Problem, options: Any = None) -> None:
        super().__init__(problem, options)
        chosen = self.options
        self.settings = chosen.settings()
        self._reward = Reward(
            chosen.reward,
            problem.goal,
            chosen.reward_scale,
            chosen.reward_constant,
            chosen.latency_metric,
            chosen.latency_target,
        )
        self._reward.check()
        self._samples = 0
        self.policy = _policy(self.settings, problem.seed, chosen.bins, self.limit)
        rule = Rule(chosen.max_staleness, chosen.entropy_in_reward, chosen.ppo_clip, chosen.ppo_epochs)
        self._learner = Learner(self.policy, self.settings, rule)
        self._batch: list[Sample] = []
        self._batch_size = self.settings.samples_per_step * self.settings.accumulate
        self._worst = chosen.failure_reward
        self._keys: set[str] = set()
        self._check_depth_decision()

    @property
    def version(self) -> int:
        """Changes of the policy so far: updates, and stages of the depth."""
        return self._learner.version + self._stage

    @property
    def limit(self) -> Limit:
        """Which answers ``depth_decision`` may have now."""
        options = self.options
        most = options.depth_start + options.depth_increment * self._stage
        return Limit(options.depth_decision, most, options.depth_rule == "exactly")

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal:
        """Return an architecture that the policy draws; what is pending does not matter."""
        with self.policy.working():
            for walk in range(1, _WALKS + 1):
                chooser = PolicyChooser(self.policy, rng)
                try:
                    architecture = self.problem.space.record(chooser)
                except InvalidArchitecture:
                    continue
                return Proposal(architecture, note={**self._note(chooser), "walks": walk})
        return Proposal(self.problem.space.sample(rng), note={"operator": "random", "because": "no valid walk"})

    def tell(self, trial: Trial) -> None:
        """Put the trial into the batch, and learn from the batch when it is full."""
        self._keys.add(trial.key)
        sample = self._sample(trial)
        if sample is None:
            return
        self._count_sample()
        if not self._teaches(sample):
            return
        if sample.reward is not None and self.options.failure_reward is None:
            self._worst = sample.reward if self._worst is None else min(self._worst, sample.reward)
        self._batch.append(sample)
        if len(self._batch) == self._batch_size:
            self._learner.update(self._batch, self._worst, self.version)
            self._batch = []

    def _note(self, chooser: PolicyChooser) -> dict[str, Any]:
        """Return what learning from a walk needs, and what tells how far the policy has settled."""
        return {
            "operator": "policy",
            "version": self.version,
            "log_prob": math.fsum(chooser.log_probs),
            "log_probs": chooser.log_probs,
            "entropy": chooser.entropy,
            "distinct": len(self._keys),
        }

    @property
    def _stage(self) -> int:
        return self._samples // self.options.depth_every if self.options.depth_decision else 0

    def _count_sample(self) -> None:
        before = self._stage
        self._samples += 1
        if self._stage != before:
            self.policy.limit_to(self.limit)

    def _teaches(self, sample: Sample) -> bool:
        options = self.options
        if options.late == "drop" and self.version - sample.version > options.max_staleness:
            return False
        below = options.resample_below
        return below is None or sample.reward is None or sample.reward > below

    def _sample(self, trial: Trial) -> Sample | None:
        """Return the trial as a sample of the policy; ``None`` when the policy did not draw it."""
        version, log_probs, entropy = (trial.note.get(name) for name in ("version", "log_probs", "entropy"))
        if (
            trial.note.get("operator") != "policy"
            or not isinstance(version, int)
            or not isinstance(entropy, int | float)
        ):
            return None
        if not isinstance(log_probs, Sequence) or len(log_probs) != len(trial.architecture):
            return None
        decisions = self.problem.space.decisions(trial.architecture)
        values: Mapping[str, Any] = trial.architecture
        return Sample(trial.number, decisions, values, log_probs, entropy, version, self._reward(trial))

    def _check_depth_decision(self) -> None:
        name = self.options.depth_decision
        if name is None:
            return
        space = self.problem.space
        asked = space.decisions(space.sample(derive_rng(self.problem.seed, "rl_controller depth")))
        found = {decision.name: decision for decision in asked}
        if name not in found:
            raise ConfigurationError(
                f"`depth_decision` must be a decision of every walk, but got {name!r}; a walk has {', '.join(found)}"
            )
        self.policy.actions(found[name])


def _policy(settings: Settings, seed: int, bins: int, limit: Limit) -> Policy:
    """Return the policy; torch is imported for those that need it."""
    if settings.policy == "factored":
        return FactoredPolicy(settings, seed, bins=bins, limit=limit)
    from automl_plugins.strategies._rl.recurrent import RecurrentPolicy

    has_attention = settings.policy == "lstm_attention"
    return RecurrentPolicy(settings, seed, bins=bins, limit=limit, has_attention=has_attention)
