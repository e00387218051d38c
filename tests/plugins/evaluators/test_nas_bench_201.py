"""Against made-up tables in the form of the real one, and against the real one where it is there."""

import shutil

import numpy as np
import pytest
import tiny_tables
from scipy import stats

from automl import Architecture, Candidate, ConfigurationError, Context, write_table
from automl_plugins.evaluators._tables.seed_noise import SeedNoise
from automl_plugins.evaluators.nas_bench_201 import NasBench201Options, NasBench201Table
from automl_plugins.tasks.none import NoTask
from automl_spaces.nas_bench_201 import NasBench201
from automl_spaces.nas_bench_201 import NasBench201Options as SpaceOptions

SPACE = NasBench201()
TASK = NoTask()


def evaluator(**options):
    return NasBench201Table(NasBench201Options(**options))


def cell(arrays, row):
    names = [f"edge_{i}_{j}" for i, j in zip(arrays["edge_from"], arrays["edge_to"], strict=True)]
    operations = [str(arrays["op_names"][place]) for place in arrays["ops"][row]]
    return Candidate(SPACE, SPACE.validate(Architecture.of(dict(zip(names, operations, strict=True)))))


def names(table):
    return [metric.name for metric in table.metrics(TASK)]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return tiny_tables.write_nas_bench_201(tmp_path_factory.mktemp("made_up"))


@pytest.fixture
def made_up(written, monkeypatch):
    monkeypatch.setenv("AUTOML_DATA_DIR", str(written.parents[1]))
    return dict(np.load(written))


@pytest.fixture
def devices(written, tmp_path, monkeypatch):
    """Return the folder of a table with the files of devices beside it."""
    tiny_tables.write_devices(tmp_path)
    shutil.copy(written, tmp_path / "nasbench201")
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path))
    return tmp_path / "nasbench201"


@pytest.fixture
def scores(written, tmp_path, monkeypatch):
    """Return the file of published scores beside a table."""
    path = tiny_tables.write_published_scores(tmp_path)
    shutil.copy(written, tmp_path / "nasbench201")
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path))
    return path


@pytest.fixture(scope="module")
def real(automl_data):
    return dict(np.load(automl_data("nasbench201/nasbench201.npz")))


COLUMNS = [
    ({}, "val_accuracy", "cifar10_valid_200_run"),
    ({"epochs": 12}, "val_accuracy", "cifar10_valid_12"),
    ({"dataset": "cifar100"}, "val_accuracy", "cifar100_valid_200_run"),
    ({"objective": "test", "training": "mean"}, "test_accuracy", "cifar10_test_200_mean"),
    ({"objective": "test", "dataset": "cifar100", "epochs": 12}, "test_accuracy", "cifar100_test_12"),
]


@pytest.mark.parametrize("source", ["made_up", "real"])
@pytest.mark.parametrize(("options", "metric", "column"), COLUMNS)
def test_random_rows_are_those_of_the_file(source, options, metric, column, request):
    arrays, table = request.getfixturevalue(source), evaluator(**options)
    dataset = options.get("dataset", "cifar10")
    assert names(table)[0] == metric
    for row in np.random.default_rng(0).integers(15625, size=50):
        found = table.evaluate(cell(arrays, row), Context(TASK))
        assert found[metric] == float(arrays[column][row])
        assert found["reported_test_accuracy"] == float(arrays[f"{dataset}_test_200_mean"][row])
        assert found["params"] == round(float(arrays[f"{dataset}_params_m"][row]) * 1e6)
        assert found["flops"] == round(float(arrays[f"{dataset}_mflops"][row]) * 1e6)


def test_the_published_optima_are_found(real):
    """Best cells and values of the papers: 94.37 and 73.51 on test, 91.61 on validation."""
    best = evaluator(objective="test", training="mean").evaluate(cell(real, 6111), Context(TASK))
    assert (round(best["test_accuracy"], 2), round(best["val_accuracy"], 2)) == (94.37, 91.61)
    hundred = evaluator(objective="test", training="mean", dataset="cifar100")
    assert round(hundred.evaluate(cell(real, 9930), Context(TASK))["test_accuracy"], 2) == 73.51
    for table, row in ((evaluator(objective="test", training="mean"), 6111), (hundred, 9930)):
        column = table._columns[0].values
        assert column[row] == column.max()


def test_cells_that_compute_the_same_keep_their_own_rows(made_up):
    table = evaluator()
    none, skip = "none", "skip_connect"
    straight = (none, none, none, skip, none, none)
    detour = (skip, none, none, none, skip, none)
    rows = [tuple(tiny_tables.OPERATIONS_201.index(operation) for operation in each) for each in (straight, detour)]
    places = [int(np.flatnonzero((made_up["ops"] == row).all(1))[0]) for row in rows]
    one, other = (cell(made_up, place) for place in places)
    assert one.key == other.key
    assert [table.row(one), table.row(other)] == places


def test_a_mean_that_is_not_clean_is_replaced_by_the_single_training(made_up):
    values = evaluator(training="mean")._columns[0].values
    clean = made_up["cifar10_mean_clean"]
    assert 0 < (~clean).sum() < 400
    assert (values[clean] == made_up["cifar10_valid_200_mean"][clean]).all()
    assert (values[~clean] == made_up["cifar10_valid_200_run"][~clean]).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dataset": "imagenet16"}, "it has nothing for imagenet16"),
        ({"epochs": 12, "training": "mean"}, "no validation accuracy of cifar10 after 12 epochs with training = mean"),
        ({"dataset": "cifar100", "training": "mean"}, "objective = test, epochs = 200, training = mean"),
        ({"dataset": "cifar100", "training": "drawn"}, "objective = validation, epochs = 200, training = single"),
    ],
)
def test_what_the_table_lacks_is_refused_at_the_door_with_what_it_has(options, said, made_up):
    with pytest.raises(ConfigurationError) as refused:
        evaluator(**options).metrics(TASK)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_complete_table_has_imagenet_and_simulated_time(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path))
    arrays = np.load(tiny_tables.write_nas_bench_201(tmp_path, time=True, datasets=("imagenet16",)))
    table = evaluator(dataset="imagenet16", training="mean")
    assert [metric.name for metric in table.metrics(TASK) if metric.is_simulated_time] == ["train_time_s"]
    assert table.evaluate(cell(arrays, 7), Context(TASK))["train_time_s"] == float(
        arrays["imagenet16_valid_200_time_s"][7]
    )


def test_without_times_there_is_no_simulated_time(made_up):
    assert not any(metric.is_simulated_time for metric in evaluator().metrics(TASK))


def test_devices_are_metrics_of_their_own_data_set(devices):
    latency, hardware = (np.load(devices / name) for name in ("latency_ms.npz", "hw_nas_bench.npz"))
    one = cell(np.load(devices / "nasbench201.npz"), 3)
    found = evaluator(devices=("pixel3", "edgegpu")).evaluate(one, Context(TASK))
    assert found["latency_ms_pixel3"] == float(latency["pixel3"][3])
    assert found["latency_ms_edgegpu"] == float(hardware["cifar10"][3, 0])
    assert found["energy_mj_edgegpu"] == float(hardware["cifar10"][3, 1])
    assert names(evaluator(dataset="cifar100", devices=("pi5_onnx",)))[-2:] == [
        "latency_ms_pi5_onnx",
        "energy_mj_pi5_onnx",
    ]
    for options in ({"devices": ("pixel2",)}, {"dataset": "cifar100", "devices": ("pixel3",)}):
        with pytest.raises(ConfigurationError, match=r"unknown device 'pixel\d'.* there are .*edgegpu"):
            evaluator(**options).metrics(TASK)


def test_the_digest_is_that_of_all_files_that_are_read(devices):
    plain, measured = evaluator().digest(), evaluator(devices=("pixel3",)).digest()
    assert plain != measured
    write_table(devices / "latency_ms.npz", {"pixel3": np.ones(15625, dtype=np.float32)})
    assert evaluator().digest() == plain
    assert evaluator(devices=("pixel3",)).digest() != measured


def test_a_device_that_cannot_run_a_cell_gives_no_number(devices):
    table, arrays = evaluator(devices=("edgetpu",)), dict(np.load(devices / "nasbench201.npz"))
    assert np.isnan(table.evaluate(cell(arrays, 7), Context(TASK))["latency_ms_edgetpu"])
    assert table.evaluate(cell(arrays, 8), Context(TASK))["latency_ms_edgetpu"] > 0


def test_files_of_devices_that_are_missing_are_named(made_up):
    with pytest.raises(ConfigurationError, match=r"there is none \(latency_ms\.npz, .* missing\)"):
        evaluator(devices=("pixel3",)).metrics(TASK)


def test_published_scores_are_metrics_of_the_cells_that_have_them(scores):
    table, arrays, held = (
        evaluator(published_scores=True),
        np.load(scores.with_name("nasbench201.npz")),
        np.load(scores),
    )
    assert names(table)[-2:] == ["published_synflow", "published_nwot"]
    remarks = {}
    found = table.evaluate(cell(arrays, 8), Context(TASK, remark=remarks.__setitem__))
    assert found["published_synflow"] == float(held["scores_cifar10"][4, 0])
    assert found["published_nwot"] == float(held["scores_cifar10"][4, 1])
    assert not remarks
    assert not [name for name in names(evaluator()) if name.startswith("published")], "only where asked for"


def test_a_cell_without_published_scores_leaves_them_out_and_says_why(scores):
    table, arrays = evaluator(published_scores=True), np.load(scores.with_name("nasbench201.npz"))
    remarks = {}
    found = table.evaluate(cell(arrays, 9), Context(TASK, remark=remarks.__setitem__))
    assert "val_accuracy" in found
    assert not [name for name in found if name.startswith("published")]
    said = "unsupported: the cell is not among the 7,813 with published scores"
    assert remarks == {"published_synflow": said, "published_nwot": said}


def test_a_published_failure_is_no_score(scores):
    """The file has -1e8 there, which would rank like a number."""
    table, arrays = evaluator(published_scores=True), np.load(scores.with_name("nasbench201.npz"))
    remarks = {}
    found = table.evaluate(cell(arrays, 14), Context(TASK, remark=remarks.__setitem__))
    assert "published_synflow" in found
    assert "published_nwot" not in found
    assert list(remarks) == ["published_nwot"]
    assert remarks["published_nwot"].startswith("undefined: the published code had no finite value (-1e+08")


def test_published_scores_count_in_the_digest_only_where_they_are_read(scores):
    plain, scored = evaluator().digest(), evaluator(published_scores=True).digest()
    assert plain != scored
    write_table(scores, {**np.load(scores), "scores_cifar10": np.zeros((7813, 2), dtype=np.float32)})
    assert evaluator().digest() == plain
    assert evaluator(published_scores=True).digest() != scored


def test_published_scores_that_are_missing_are_named(made_up):
    with pytest.raises(ConfigurationError, match=r"zero_cost_9445\.npz is missing: .*`automl data status`") as refused:
        evaluator(published_scores=True).metrics(TASK)
    assert "\n" not in str(refused.value)


def test_published_scores_of_another_data_set_are_refused_with_what_there_is(scores):
    with pytest.raises(ConfigurationError, match=r"has published scores for cifar10, not for cifar100; set"):
        evaluator(published_scores=True, dataset="cifar100").metrics(TASK)


def test_published_scores_of_another_table_are_refused(scores):
    write_table(scores, {**np.load(scores), "index": np.arange(7813) + 7813})
    with pytest.raises(ConfigurationError, match=r"not those of a table of 15,625 cells"):
        evaluator(published_scores=True).metrics(TASK)


def test_the_published_scores_rank_the_real_cells_as_is_known(real, automl_data):
    """Correlations with the validation accuracy that the collection states, over all 9,445 cells."""
    held = np.load(automl_data("nasbench201/zero_cost_9445.npz"))
    table = evaluator(published_scores=True)
    columns = {column.metric.name: column.values for column in table._columns}
    assert sum(name.startswith("published_") for name in columns) == 13
    known = np.isfinite(columns["published_synflow"])
    assert np.flatnonzero(known).tolist() == held["index"].tolist()
    accuracy = columns["val_accuracy"][known]
    for name, expected in (("params", 0.75), ("synflow", 0.73), ("snip", 0.55), ("plain", -0.37)):
        found = stats.spearmanr(columns[f"published_{name}"][known], accuracy).statistic
        assert found == pytest.approx(expected, abs=0.006), name
    row = int(held["index"][1000])
    found = table.evaluate(cell(real, row), Context(TASK))
    assert found["published_synflow"] == float(held["scores_cifar10"][1000, held["proxies"].tolist().index("synflow")])


def test_a_drawn_training_is_decided_by_the_seed(made_up):
    table, one = evaluator(training="drawn"), cell(made_up, 9000)
    drawn = [table.evaluate(one, Context(TASK, seed=seed))["val_accuracy"] for seed in range(40)]
    assert drawn == [
        evaluator(training="drawn").evaluate(one, Context(TASK, seed=seed))["val_accuracy"] for seed in range(40)
    ]
    assert len(set(drawn)) > 20
    reported = {table.evaluate(one, Context(TASK, seed=seed))["reported_test_accuracy"] for seed in range(5)}
    assert len(reported) == 1, "what is reported is never drawn"


@pytest.mark.parametrize(
    ("options", "metric", "scale"), [({}, "val_accuracy", 0.82), ({"objective": "test"}, "test_accuracy", 1.32)]
)
def test_drawn_trainings_scatter_around_the_mean_as_the_table_says(options, metric, scale, made_up):
    """The made-up deviations have a standard deviation of 0.3 everywhere."""
    drawn, mean = evaluator(training="drawn", **options), evaluator(training="mean", **options)
    rows = np.random.default_rng(0).integers(15625, size=2000)
    deviations = [
        drawn.evaluate(cell(made_up, row), Context(TASK, seed=int(row)))[metric]
        - mean.evaluate(cell(made_up, row), Context(TASK))[metric]
        for row in rows
    ]
    assert np.std(deviations) == pytest.approx(0.3 * scale, rel=0.08)
    assert abs(np.mean(deviations)) < 0.03


def test_noise_of_the_real_table_grows_where_cells_hardly_learn(real):
    """Standard deviations near 0.26 % above 93 % of accuracy and several times that below 80 %, see the module."""
    mean, run = real["cifar10_test_200_mean"], real["cifar10_test_200_run"]
    noise = SeedNoise.of(run, mean, scale=1.32)

    def spread(rows):
        return np.std([noise.draw(int(row), seed) for row in rows[:300] for seed in range(5)])

    assert 0.15 < spread(np.flatnonzero(mean > 93)) < 0.30
    assert spread(np.flatnonzero((mean > 20) & (mean < 80))) > 0.6
    assert spread(np.flatnonzero(mean < 11)) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("activation", ["mish", "search"])
def test_networks_with_another_activation_are_refused(made_up, activation):
    """Their answers are those of rows, so that a look-up would find the accuracy of other networks."""
    table, space = evaluator(), NasBench201(SpaceOptions(activation=activation))
    known = cell(made_up, 0)
    table.evaluate(known, Context(TASK))  # so that the rows are indexed already
    with pytest.raises(ConfigurationError, match=rf"activation 'relu', but .* '{activation}'; leave it at 'relu'"):
        table.check(space)
    with pytest.raises(ConfigurationError, match="leave it at 'relu'"):
        table.evaluate(Candidate(space, known.architecture), Context(TASK))
    table.check(NasBench201(SpaceOptions(activation="relu")))
