"""The table of proxies says of each what its class says."""

import re

import pytest

from automl import make_component
from automl.plugins import registry

PROXIES = registry().names("proxy")
ARROWS = {"max": "↑", "min": "↓"}


@pytest.fixture(scope="module")
def page(documents):
    return documents["docs/methods/zero_cost.md"]


@pytest.fixture(scope="module")
def rows(page):
    found = [line.strip("|").split("|") for line in page.splitlines() if re.match(r"\| `\w+` \| `\w+` [↑↓]", line)]
    return {cells[0].strip(" `"): [cell.strip() for cell in cells] for cells in found}


def test_table_has_every_proxy_and_no_other(rows):
    assert sorted(rows) == sorted(PROXIES)
    assert all(len(cells) == 7 for cells in rows.values())


@pytest.mark.parametrize("name", PROXIES)
def test_row_has_the_metrics_and_their_directions(name, rows):
    declared = [f"`{metric.name}` {ARROWS[metric.direction]}" for metric in make_component("proxy", name).declared]
    assert rows[name][1] == ", ".join(declared)


@pytest.mark.parametrize("name", PROXIES)
def test_row_says_what_the_proxy_needs(name, rows):
    proxy = make_component("proxy", name)
    needs = [
        "targets" if proxy.needs_targets else "",
        "classes" if proxy.problems == {"classification"} else "",
        "" if {"tokens", "features"} & proxy.accepts else " or ".join(sorted(proxy.accepts)),
        "double backward" if proxy.needs_double_backward else "",
    ]
    assert rows[name][3] == ", ".join(filter(None, needs))
    assert rows[name][4] == proxy.bn_mode


@pytest.mark.parametrize("name", PROXIES)
def test_row_cites_the_paper_of_the_proxy(name, rows):
    paper, cited = make_component("proxy", name).paper, rows[name][5]
    assert (cited == "none") == (not paper)
    assert all(word.strip(".,") in paper for word in cited.split() if cited != "none" and word[0].isupper())


@pytest.mark.parametrize("name", [name for name in PROXIES if make_component("proxy", name).population])
def test_proxies_of_populations_are_named_with_their_aggregators(name, page):
    aggregator = make_component("proxy", name).population
    assert re.search(rf"`{name}`.* are defined over a population.*`{aggregator}`", page, re.DOTALL)


def test_statuses_are_those_that_there_are(page):
    from automl.proxies.measurement import Status

    table = page.partition("## Statuses")[2].partition("## Limits")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(Status.__args__)


def test_python_of_the_page_runs(page, fences, run, tmp_path):
    [text] = [text for _, language, text in fences(page) if language == "py"]
    done = run(["-c", text], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "zen None max None unsupported" in done.stdout
