import json

import pytest
import torch
from single import Fixed, Inputs
from torch import nn

from automl import Architecture, Candidate, Context
from automl_plugins.evaluators._latency import clock
from automl_plugins.evaluators._latency.clock import Timing, timing
from automl_plugins.evaluators._latency.layers import Blank, calls_of
from automl_plugins.evaluators._latency.memory import LiveTensors, peak_bytes
from automl_plugins.evaluators._latency.table import Conditions, LayerTable, cache_folder
from automl_plugins.evaluators.latency import Latency

CPU = torch.device("cpu")


class Watched(nn.Module):
    """Notes how it is called."""

    def __init__(self, seen):
        super().__init__()
        self.layer = nn.Linear(3, 4)
        self.seen = seen

    def forward(self, inputs):
        self.seen.append((inputs.shape, self.training, torch.is_inference_mode_enabled(), torch.get_num_threads()))
        return self.layer(inputs.mean((2, 3)))


def measured(make, context=None, **options):
    context = context or Context(Inputs())
    return Latency(Latency.Options(**options)).evaluate(Candidate(Fixed(make), Architecture.of({})), context)


def image_network():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_network_runs_as_often_as_asked_in_inference_on_the_threads_asked():
    seen = []
    before = torch.get_num_threads()
    found = measured(lambda: Watched(seen), batch_size=5, warm_up=2, repeats=7, threads=2)
    for_memory, *timed = seen
    assert for_memory[:2] == ((5, 3, 8, 8), False)
    assert timed == [((5, 3, 8, 8), False, True, 2)] * 9
    assert torch.get_num_threads() == before
    assert found["latency_ms"] > 0
    assert found["latency_iqr_ms"] >= 0


def test_the_median_and_the_quartiles_are_those_of_the_runs_that_count(monkeypatch):
    times = iter([999.0, 999.0, 4.0, 1.0, 2.0, 3.0, 5.0])
    monkeypatch.setattr(clock, "_by_clock", lambda run, device: next(times))
    found = timing(lambda: None, CPU, warm_up=2, repeats=5, check=lambda: None)
    assert found == Timing(median=3.0, spread=2.0)


def test_the_clock_counts_milliseconds(monkeypatch):
    ticks = iter([1_000_000, 3_500_000])
    monkeypatch.setattr(clock.time, "perf_counter_ns", lambda: next(ticks))
    assert clock._by_clock(lambda: None, CPU) == 2.5


def test_how_it_was_measured_is_remarked():
    remarks = {}
    measured(image_network, Context(Inputs(), remark=remarks.__setitem__), repeats=4, warm_up=1)
    assert remarks == {"latency_iqr_ms": "4 runs of batch 1 after 1 to warm up, on cpu with 1 CPU thread"}


def test_every_metric_is_declared_a_reading():
    metrics = Latency(Latency.Options(table=True)).metrics(Inputs())
    assert [metric.name for metric in metrics] == ["latency_ms", "latency_iqr_ms", "peak_memory_mb", "latency_table_ms"]
    assert all(metric.is_measured and metric.direction == "min" for metric in metrics)


def test_another_machine_has_another_digest(monkeypatch):
    here = Latency().digest()
    assert Latency(Latency.Options(batch_size=4)).digest() == here
    monkeypatch.setattr("automl_plugins.evaluators.latency.processor", lambda: "another")
    assert Latency().digest() != here


# Memory, against counts by hand: float32 is 4 bytes.


def test_peak_of_a_perceptron_is_weights_inputs_and_two_hidden_layers():
    network = nn.Sequential(nn.Linear(100, 200), nn.ReLU(), nn.Linear(200, 10)).eval()
    weights = 100 * 200 + 200 + 200 * 10 + 10
    inputs, hidden = 4 * 100, 4 * 200  # ReLU reads one hidden layer and writes another
    assert peak_bytes(network, torch.zeros(4, 100)) == 4 * (weights + inputs + 2 * hidden)


def test_peak_of_a_relu_in_place_is_one_hidden_layer_and_the_outputs():
    network = nn.Sequential(nn.Linear(100, 200), nn.ReLU(inplace=True), nn.Linear(200, 10)).eval()
    weights = 100 * 200 + 200 + 200 * 10 + 10
    assert peak_bytes(network, torch.zeros(4, 100)) == 4 * (weights + 400 + 800 + 40)


def test_peak_of_an_image_network_is_where_the_images_are_widest():
    network, inputs = image_network().eval(), torch.zeros(2, 3, 8, 8)
    held = sum(tensor.numel() * tensor.element_size() for tensor in (*network.parameters(), *network.buffers()))
    assert peak_bytes(network, inputs) == held + 4 * (2 * 3 * 64 + 2 * (2 * 16 * 64))


def test_branches_are_held_until_they_meet():
    class Branches(nn.Module):
        def forward(self, inputs):
            branches = [inputs + number for number in range(5)]
            return torch.stack(branches).sum(0)

    held = 1 + 5 + 5 + 1  # inputs, branches, their stack, and its sum
    assert peak_bytes(Branches(), torch.zeros(1000)) == held * 4 * 1000


def test_views_and_shared_weights_count_once():
    layer = nn.Linear(50, 50)
    network = nn.Sequential(layer, nn.Flatten(), nn.Unflatten(1, (5, 10)), nn.Flatten(), layer).eval()
    assert peak_bytes(network, torch.zeros(1, 50)) == 4 * (50 * 50 + 50 + 3 * 50)


def test_what_has_died_counts_no_more():
    with LiveTensors() as live:
        kept = torch.ones(10)
        for _ in range(5):
            kept = kept + 1
    assert (live.live, live.peak) == (40, 80)


def test_peak_memory_is_reported_in_millions_of_bytes():
    found = measured(image_network, batch_size=2, warm_up=0, repeats=3)
    assert found["peak_memory_mb"] * 1e6 == peak_bytes(image_network().eval(), torch.zeros(2, 3, 8, 8))


# The table.


def test_calls_are_those_of_innermost_layers_in_order():
    calls = calls_of(image_network().eval(), torch.zeros(2, 3, 8, 8))
    assert [type(call.layer).__name__ for call in calls] == [
        *("Conv2d", "BatchNorm2d", "ReLU", "Conv2d", "AdaptiveAvgPool2d", "Flatten", "Linear")
    ]
    assert calls[1].args == (Blank((2, 16, 8, 8), (1024, 64, 8, 1), torch.float32),)


def test_equal_calls_have_one_key_and_others_another():
    def key(layer, *shape):
        return calls_of(layer.eval(), torch.zeros(*shape))[0].key

    base = key(nn.Conv2d(4, 4, 3, padding=1), 1, 4, 8, 8)
    assert key(nn.Conv2d(4, 4, 3, padding=1), 1, 4, 8, 8) == base
    others = {
        key(nn.Conv2d(4, 4, 3, padding=1), 2, 4, 8, 8),
        key(nn.Conv2d(4, 4, 3, padding=1), 1, 4, 9, 8),
        key(nn.Conv2d(4, 4, 3, padding=1, stride=2), 1, 4, 8, 8),
        key(nn.Conv2d(4, 4, 3, padding=1, groups=2), 1, 4, 8, 8),
        key(nn.Conv2d(4, 4, 3, padding=1, bias=False), 1, 4, 8, 8),
        key(nn.Conv2d(4, 4, 3, padding=2, dilation=2), 1, 4, 8, 8),
        key(nn.MaxPool2d(3, stride=1, padding=1), 1, 4, 8, 8),
        key(nn.AvgPool2d(3, stride=1, padding=1), 1, 4, 8, 8),
    }
    assert base not in others
    assert len(others) == 8


def test_the_prediction_is_the_sum_over_calls_and_each_layer_is_measured_once(tmp_path, monkeypatch):
    def make():
        shared = nn.ReLU()
        return nn.Sequential(nn.Flatten(), nn.Linear(192, 192), shared, nn.Linear(192, 192), shared, nn.Linear(192, 10))

    times = {"Flatten": 1.0, "Linear": 10.0, "ReLU": 100.0}
    asked = []

    def timed(call, like, clock):
        asked.append(call.key)
        return times[type(call.layer).__name__]

    monkeypatch.setattr("automl_plugins.evaluators.latency._timed", timed)
    first = measured(make, table=True, warm_up=0, repeats=3)
    assert first["latency_table_ms"] == 1 + 3 * 10 + 2 * 100
    assert len(asked) == len(set(asked)) == 4  # two Linear layers are alike, and so are both calls of ReLU
    assert measured(make, table=True, warm_up=0, repeats=3)["latency_table_ms"] == first["latency_table_ms"]
    assert len(asked) == 4
    measured(make, table=True, warm_up=0, repeats=3, threads=2)
    assert len(asked) == 8  # other conditions, another table
    measured(make, table=True, warm_up=0, repeats=3, batch_size=2)
    assert len(asked) == 12
    assert len(list((tmp_path / "cache" / "automl" / "latency").glob("cpu-*.json"))) == 2


def test_a_layer_is_measured_on_tensors_like_its_own():
    class Keyword(nn.Module):
        def forward(self, first, *, second):
            assert (first.shape, first.dtype, second.dtype) == ((4, 2), torch.float32, torch.int64)
            assert first.stride() == (1, 4)
            return first[second]

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Keyword()

        def forward(self, inputs):
            return self.inner(inputs.reshape(2, 4).T, second=torch.tensor([0, 1]))

    [call] = calls_of(Outer(), torch.zeros(8))
    args, kwargs = call.repeat(CPU, torch.Generator().manual_seed(0))
    assert call.layer(*args, **kwargs).shape == (2, 2)
    assert args[0].std() > 0


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 9}', '{"format": 1, "conditions": {}}'])
def test_a_table_that_cannot_be_read_is_measured_anew(content, tmp_path):
    table = LayerTable(Conditions("cpu", "a processor", 1, "2.6"), tmp_path)
    table.look_up({"relu": lambda: 1.0})
    table.path.write_text(content)
    assert table.look_up({"relu": lambda: 2.0}) == {"relu": 2.0}
    assert json.loads(table.path.read_text())["milliseconds"] == {"relu": 2.0}


def test_a_table_that_cannot_be_written_does_no_harm(tmp_path):
    (tmp_path / "file").write_text("in the way")
    table = LayerTable(Conditions("cpu", "a processor", 1, "2.6"), tmp_path / "file")
    assert table.look_up({"relu": lambda: 2.0}) == {"relu": 2.0}


@pytest.mark.parametrize(
    ("environment", "system", "end"),
    [
        ({"XDG_CACHE_HOME": "/caches"}, "linux", "/caches/automl/latency"),
        ({}, "linux", ".cache/automl/latency"),
        ({"XDG_CACHE_HOME": "/caches"}, "darwin", "Library/Caches/automl/latency"),
    ],
)
def test_the_table_lies_in_the_cache_folder_of_the_platform(environment, system, end):
    assert str(cache_folder(environment, system)).endswith(end)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_memory_counts_weights_and_images():
    context = Context(Inputs(), device="cuda:0")
    found = measured(image_network, context, batch_size=64, repeats=10, table=True)
    assert found["peak_memory_mb"] * 1e6 >= peak_bytes(image_network().eval(), torch.zeros(64, 3, 8, 8)) * 0.9
    assert found["latency_ms"] > 0
    assert found["latency_table_ms"] > 0
