import itertools

import numpy as np
import pytest
import tiny_tables

from automl import Candidate, ConfigurationError, Context, NotInTable, write_table
from automl_plugins.evaluators._tables.cell_fingerprint import PAIRS, cell_fingerprint, table_fingerprints
from automl_plugins.evaluators.nas_bench_101 import NasBench101Options, NasBench101Table
from automl_plugins.tasks.none import NoTask
from automl_spaces.nas_cell import NasCell, NasCellOptions

SPACE = NasCell()
TASK = NoTask()


def evaluator(**options):
    return NasBench101Table(NasBench101Options(**options))


@pytest.fixture
def cells(tmp_path, monkeypatch):
    """Sixty cells of a made-up table, no two the same network."""
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path))
    rng = np.random.default_rng(0)
    drawn = [SPACE.sample(rng) for _ in range(60)]
    distinct = list({SPACE.key(cell): cell for cell in drawn}.values())
    tiny_tables.write_nas_bench_101(tmp_path, distinct)
    return distinct


@pytest.fixture
def arrays(cells, tmp_path):
    return np.load(tmp_path / "nasbench101" / "sample30k.npz")


def test_a_cell_is_found_in_any_encoding(cells, arrays):
    table, rng = evaluator(), np.random.default_rng(1)
    for row, cell in enumerate(cells):
        for encoding in (cell, SPACE.reorder(cell, rng), SPACE.reorder(cell, rng)):
            found = table.evaluate(Candidate(SPACE, encoding), Context(TASK))
            assert found == {
                "val_accuracy": float(arrays["valid_acc_108"][row]) * 100,
                "params": float(arrays["params"][row]),
                "train_time_s": float(arrays["train_time_s_108"][row]),
            }


def test_fewer_epochs_take_their_share_of_the_time(cells, arrays):
    found = evaluator(epochs=12).evaluate(Candidate(SPACE, cells[5]), Context(TASK))
    assert found["val_accuracy"] == float(arrays["valid_acc_12"][5]) * 100
    assert found["train_time_s"] == pytest.approx(float(arrays["train_time_s_108"][5]) / 9)
    assert [metric.name for metric in evaluator().metrics(TASK) if metric.is_simulated_time] == ["train_time_s"]


def test_a_cell_without_a_row_fails_its_trial_and_names_the_surrogate(cells):
    known, rng = {SPACE.key(cell) for cell in cells}, np.random.default_rng(9)
    absent = next(cell for cell in (SPACE.sample(rng) for _ in range(99)) if SPACE.key(cell) not in known)
    with pytest.raises(NotInTable, match=r"not among the \d+ of 423,624 .* `surrogate` covers the whole space"):
        evaluator().evaluate(Candidate(SPACE, absent), Context(TASK))


def test_rows_are_cells_of_the_space(cells):
    rows = list(evaluator().rows(SPACE))
    assert [SPACE.key(architecture) for architecture, _ in rows] == [SPACE.key(cell) for cell in cells]
    assert all(SPACE.validate(architecture) == architecture for architecture, _ in rows)


def test_a_space_with_other_options_is_refused(cells):
    smaller = NasCell(NasCellOptions(max_nodes=5))
    with pytest.raises(ConfigurationError, match="--space nas_cell with its default options"):
        evaluator().evaluate(Candidate(smaller, smaller.sample(np.random.default_rng(0))), Context(TASK))


@pytest.mark.parametrize("activation", ["mish", "search"])
def test_networks_with_another_activation_are_refused(cells, activation):
    """Their cells are those of rows, so that a look-up would find the accuracy of other networks."""
    table, space = evaluator(), NasCell(NasCellOptions(activation=activation))
    table.evaluate(Candidate(SPACE, cells[0]), Context(TASK))  # so that the rows are indexed already
    with pytest.raises(ConfigurationError, match=rf"activation 'relu', but .* '{activation}'; leave it at 'relu'"):
        table.check(space)
    with pytest.raises(ConfigurationError, match="leave it at 'relu'"):
        table.evaluate(Candidate(space, cells[0]), Context(TASK))
    table.check(NasCell(NasCellOptions(activation="relu")))


def test_means_and_test_accuracies_need_a_complete_table(cells, arrays, tmp_path):
    with pytest.raises(ConfigurationError, match="has no valid_acc_108_mean; it has valid_acc_4"):
        evaluator(training="mean").metrics(TASK)
    complete = {name: arrays[name] for name in arrays.files}
    complete["valid_acc_108_mean"] = complete["valid_acc_108"] - np.float32(0.01)
    complete["test_acc_108_mean"] = complete["valid_acc_108"] - np.float32(0.02)
    write_table(tmp_path / "nasbench101" / "nasbench101.npz", complete)
    found = evaluator(training="mean").evaluate(Candidate(SPACE, cells[0]), Context(TASK))
    assert found["val_accuracy"] == float(complete["valid_acc_108_mean"][0]) * 100
    assert found["reported_test_accuracy"] == float(complete["test_acc_108_mean"][0]) * 100


def test_one_and_many_fingerprints_agree(cells, arrays):
    many = table_fingerprints(arrays["n_vertices"], arrays["edges"], arrays["ops"]).tolist()
    place = {name: number for number, name in enumerate(tiny_tables.OPERATIONS_101)}
    for cell, expected in zip(cells, many, strict=True):
        present = [cell[f"edge_{i}_{j}"] for i, j in PAIRS]
        assert cell_fingerprint(present, [place[cell[f"operation_{node}"]] for node in range(1, 6)]) == expected


def test_no_two_cells_of_the_whole_space_share_a_fingerprint(automl_data):
    space = np.load(automl_data("nasbench101/space.npz"))
    found = table_fingerprints(space["n_vertices"], space["edges"], space["ops"])
    assert len(found) == len(np.unique(found)) == 423_624


def test_rows_of_the_real_sample_are_found(automl_data):
    arrays = np.load(automl_data("nasbench101/sample30k.npz"))
    table, rng = evaluator(), np.random.default_rng(0)
    wanted = set(rng.integers(30_001, size=40).tolist())
    for architecture, row in itertools.islice(table.rows(SPACE), 30_001):
        if row in wanted:
            found = table.evaluate(Candidate(SPACE, SPACE.reorder(architecture, rng)), Context(TASK))
            assert found["val_accuracy"] == float(arrays["valid_acc_108"][row]) * 100
            assert found["params"] == arrays["params"][row]
    first = table.evaluate(Candidate(SPACE, next(table.rows(SPACE))[0]), Context(TASK))
    assert first["params"] == 8_555_530, "cell 00005c142e6f48ac74fdcf73e3439874 of the benchmark"
