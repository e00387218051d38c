import logging

import networkx as nx
import numpy as np
import pytest
import tiny_tables
from sklearn.ensemble import ExtraTreesRegressor

from automl import Architecture, Candidate, ComponentSpec, ConfigurationError, Context
from automl_plugins.evaluators import surrogate
from automl_plugins.evaluators._tables.fitting import Residuals, Scale
from automl_plugins.evaluators._tables.forest import Forest
from automl_plugins.evaluators._tables.graph_features import Vocabulary, graph_features
from automl_plugins.evaluators.surrogate import Surrogate, SurrogateOptions
from automl_plugins.tasks.none import NoTask
from automl_spaces.nas_bench_201 import NasBench201
from automl_spaces.nas_cell import NasCell, NasCellOptions

SPACE = NasCell()
TASK = NoTask()


def evaluator(**options):
    return Surrogate(SurrogateOptions(trees=10, **options))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    there, rng = tmp_path_factory.mktemp("tables"), np.random.default_rng(0)
    drawn = {SPACE.key(cell): cell for cell in (SPACE.sample(rng) for _ in range(900))}
    tiny_tables.write_nas_bench_101(there, list(drawn.values())[:400])
    return there


@pytest.fixture(autouse=True)
def _tables(folder, monkeypatch):
    monkeypatch.setenv("AUTOML_DATA_DIR", str(folder))


@pytest.fixture
def unknown(folder):
    """Cells that the table does not have."""
    table, rng = Surrogate().table, np.random.default_rng(5)
    drawn = (Candidate(SPACE, SPACE.sample(rng)) for _ in range(200))
    return [candidate for candidate in drawn if table.row(candidate) is None][:40]


def test_exact_rows_win(folder):
    arrays, made = np.load(folder / "nasbench101" / "sample30k.npz"), evaluator()
    cells = [architecture for architecture, _ in made.table.rows(SPACE)]
    for row in (0, 17, 399):
        found = made.evaluate(Candidate(SPACE, cells[row]), Context(TASK))
        assert found["val_accuracy"] == float(arrays["valid_acc_108"][row]) * 100
    predicted = evaluator(exact=False, noise="none").evaluate(Candidate(SPACE, cells[0]), Context(TASK))
    assert predicted["val_accuracy"] != float(arrays["valid_acc_108"][0]) * 100


@pytest.mark.parametrize("exact", [True, False])
def test_networks_with_another_activation_are_refused(exact):
    made = evaluator(exact=exact)
    made.check(SPACE)
    space = NasCell(NasCellOptions(activation="mish"))
    with pytest.raises(ConfigurationError, match=r"activation 'relu', but .* 'mish'; leave it at 'relu'"):
        made.check(space)
    with pytest.raises(ConfigurationError, match="leave it at 'relu'"):
        made.evaluate(Candidate(space, space.sample(np.random.default_rng(0))), Context(TASK))


def test_the_rest_is_predicted_well_and_the_same_in_any_encoding(unknown):
    """The made-up accuracy grows by 5 % with each 3x3 convolution, with a noise of half a per cent."""
    made, rng = evaluator(noise="none"), np.random.default_rng(0)
    errors = []
    for candidate in unknown:
        found = made.evaluate(candidate, Context(TASK))
        again = made.evaluate(Candidate(SPACE, SPACE.reorder(candidate.architecture, rng)), Context(TASK))
        assert found == again
        convolutions = candidate.blueprint.pruned().operations.count("conv3x3-bn-relu")
        errors.append(found["val_accuracy"] - 100 * (0.608 + 0.05 * convolutions))
        assert found["train_time_s"] > 0
    assert np.abs(errors).mean() < 2.5


def test_quality_on_held_out_rows_is_known_and_logged(monkeypatch, caplog):
    monkeypatch.setattr(surrogate, "_MODELS", {})
    with caplog.at_level(logging.INFO, logger="automl"):
        model = evaluator().model(SPACE)
    quality = model.quality["val_accuracy"]
    assert (quality.rows, model.rows) == (40, 360)
    assert quality.spearman > 0.8
    assert quality.kendall > 0.6
    assert quality.mae < 2.5 < 5 * quality.rmse
    assert "val_accuracy on 40 held-out rows: MAE" in caplog.text


def test_the_model_is_fitted_once_per_process(monkeypatch):
    monkeypatch.setattr(surrogate, "_MODELS", {})
    first = evaluator().model(SPACE)
    assert evaluator().model(NasCell()) is first
    assert evaluator(seed=1).model(SPACE) is not first


def test_a_second_fit_predicts_the_same(unknown, monkeypatch):
    before = [evaluator().evaluate(candidate, Context(TASK)) for candidate in unknown]
    monkeypatch.setattr(surrogate, "_MODELS", {})
    assert [evaluator().evaluate(candidate, Context(TASK)) for candidate in unknown] == before


def test_noise_is_decided_by_the_seed_and_has_the_size_of_the_held_out_errors(unknown):
    noisy, plain = evaluator(), evaluator(noise="none")
    one = unknown[0]
    drawn = [noisy.evaluate(one, Context(TASK, seed=seed))["val_accuracy"] for seed in range(200)]
    assert drawn[:9] == [evaluator().evaluate(one, Context(TASK, seed=seed))["val_accuracy"] for seed in range(9)]
    assert len(set(drawn)) > 20
    deviations = [
        noisy.evaluate(each, Context(TASK, seed=seed))["val_accuracy"]
        - plain.evaluate(each, Context(TASK, seed=seed))["val_accuracy"]
        for each in unknown
        for seed in range(20)
    ]
    assert np.sqrt(np.mean(np.square(deviations))) == pytest.approx(
        plain.model(SPACE).quality["val_accuracy"].rmse, rel=0.35
    )


def test_noise_is_the_networks_even_where_the_table_lists_encodings(folder):
    """The store answers every encoding of a network with the first result."""
    tiny_tables.write_nas_bench_201(folder)
    made = evaluator(table=ComponentSpec(name="nas_bench_201"), exact=False, rows=500)
    none, skip, space = "none", "skip_connect", NasBench201()
    names = [f"edge_{i}_{j}" for i, j in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))]
    one, other = (
        Candidate(space, space.validate(Architecture.of(dict(zip(names, operations, strict=True)))))
        for operations in ((none, none, none, skip, none, none), (skip, none, none, none, skip, none))
    )
    assert one.key == other.key
    for seed in range(5):
        assert made.evaluate(one, Context(TASK, seed=seed)) == made.evaluate(other, Context(TASK, seed=seed))


def test_the_expected_value_is_reported_without_noise_of_rows_too(folder, unknown):
    noisy, plain = evaluator(report_expected=True), evaluator(exact=False, noise="none")
    known = [Candidate(SPACE, architecture) for architecture, _ in noisy.table.rows(SPACE)][:3]
    declared = [metric.name for metric in noisy.metrics(TASK)]
    for candidate in (*known, *unknown[:3]):
        first, second = (noisy.evaluate(candidate, Context(TASK, seed=seed)) for seed in (1, 2))
        assert list(first) == declared
        assert first["expected_val_accuracy"] == second["expected_val_accuracy"]
        assert first["expected_val_accuracy"] == plain.evaluate(candidate, Context(TASK))["val_accuracy"]
        assert (first["val_accuracy"] == second["val_accuracy"]) is (candidate in known)


def test_only_so_many_rows_are_used():
    assert evaluator(rows=100).model(SPACE).rows == 90


def test_what_is_no_table_of_networks_is_refused(folder):
    with pytest.raises(ConfigurationError, match="evaluator 'cost' looks nothing up"):
        evaluator(table=ComponentSpec(name="cost")).metrics(TASK)
    tiny_tables.write_nas_bench_201(folder)
    with pytest.raises(ConfigurationError, match="set exact = false"):
        evaluator(table=ComponentSpec(name="nas_bench_201")).metrics(TASK)
    metrics = evaluator(table=ComponentSpec(name="nas_bench_201"), exact=False).metrics(TASK)
    assert metrics[0].name == "val_accuracy"


def test_a_forest_predicts_what_scikit_learn_predicts():
    rng = np.random.default_rng(0)
    inputs = np.float32(rng.integers(0, 9, (300, 6)))
    regressors = [
        ExtraTreesRegressor(count, random_state=0).fit(inputs, inputs @ rng.random(6) + rng.random(300))
        for count in (3, 7)
    ]
    forest = Forest.of(regressors)
    for row in np.float32(rng.integers(0, 9, (50, 6))):
        assert forest.predict(row) == pytest.approx([regressor.predict(row[None])[0] for regressor in regressors])


def test_features_do_not_depend_on_the_order_of_nodes():
    rng = np.random.default_rng(0)
    for _ in range(30):
        graph = SPACE.computed_graph_of(SPACE.sample(rng))
        order = list(graph)
        rng.shuffle(order)
        shuffled = nx.DiGraph()
        shuffled.add_nodes_from((node + 100, graph.nodes[node]) for node in order)
        shuffled.add_edges_from((i + 100, j + 100) for i, j in reversed(list(graph.edges)))
        assert graph_features(graph) == graph_features(shuffled)


def test_paths_are_counted_as_networkx_counts_them():
    rng = np.random.default_rng(1)
    for _ in range(30):
        graph = SPACE.computed_graph_of(SPACE.sample(rng))
        [first], [last] = ([n for n, d in graph.nodes(data=True) if d["label"] == end] for end in ("input", "output"))
        paths = list(nx.all_simple_paths(graph, first, last))
        found = graph_features(graph)
        assert found["paths"] == len(paths)
        assert found["depth"] == max(len(path) for path in paths) - 2
        for count in range(3):
            labels = [tuple(graph.nodes[n]["label"] for n in path[1:-1]) for path in paths if len(path) == count + 2]
            assert all(found["path", *label] == labels.count(label) for label in labels)


def test_rare_features_become_no_columns():
    vocabulary = Vocabulary.of([{"a": 1, "b": 2}, *[{"a": 1}] * 2000])
    assert len(vocabulary) == 1
    assert vocabulary.vector({"a": 3, "b": 4, "c": 5}).tolist() == [3]


def test_scales_go_there_and_back():
    values = np.array([10.0, 90.0, 99.9])
    for kind in ("error", "positive", "plain"):
        scale = Scale(kind)
        assert scale.back(scale.to(values)) == pytest.approx(values)
    assert Scale("error").back(99.0) <= 100


def test_residuals_are_drawn_among_the_nearest_predictions():
    residuals = Residuals.of(np.arange(1000.0), np.arange(1000.0) + np.repeat([0.0, 1.0], 500))
    assert {residuals.draw(100.0, seed, "k") for seed in range(50)} == {0.0}
    assert {residuals.draw(900.0, seed, "k") for seed in range(50)} == {1.0}
    assert {residuals.draw(500.0, seed, "k") for seed in range(50)} == {0.0, 1.0}


@pytest.mark.slow
def test_the_real_surrogate_is_as_good_as_the_documents_say(automl_data, monkeypatch):
    monkeypatch.setenv("AUTOML_DATA_DIR", str(automl_data("nasbench101/sample30k.npz").parents[1]))
    quality = Surrogate().model(SPACE).quality["val_accuracy"]
    assert quality.spearman > 0.95
    assert quality.kendall > 0.82
    assert quality.mae < 0.75
