from collections import Counter

from scipy.stats import chisquare

from automl import Chooser, Goal, Objective, Problem, SearchSpace, derive_rng
from automl_plugins.strategies.random_search import RandomSearch


class Grid(SearchSpace[tuple]):
    def decide(self, choose: Chooser):
        return choose.categorical("letter", "abc"), choose.index("place", 2), choose.subset("set", 3, smallest=1)

    def build(self, blueprint, task):
        raise NotImplementedError


def test_it_is_uniform_over_a_small_flat_space():
    space = Grid()
    strategy = RandomSearch(Problem(space, Goal((Objective("score", "max"),))))
    drawn = Counter(strategy.ask(derive_rng(0, "ask", i), ()).architecture for i in range(42 * 100))
    assert len(drawn) == space.size() == 42
    assert chisquare(list(drawn.values())).pvalue > 0.001
