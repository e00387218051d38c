import re

from automl_spaces.ops.activations.choice import CURATED
from automl_spaces.ops.activations.costs import COSTS
from automl_spaces.ops.activations.registry import ENTRIES


def test_the_table_of_the_documents_has_every_activation_with_its_formula_and_gain(documents):
    expected = [
        f"| `{one.name}`{' ★' if one.name in CURATED else ''} | {one.family} "
        f"| {one.formula.replace('|', chr(92) + '|')} "
        f"| {one.reference} | {one.gain:.3f} |"
        for one in ENTRIES.values()
    ]
    found = [line for line in documents["docs/activations.md"].splitlines() if line.startswith("| `")]
    assert found == expected


def test_the_documents_name_the_functions_that_take_over_five_times_as_long_as_relu(documents):
    text = documents["docs/activations.md"].split("- **Time.** ")[1].split("- **Arity.**")[0]
    slow = [name for name, cost in COSTS.items() if cost > 5]
    assert re.findall(r"`(\w+)`", text.split("Slower than five times are")[1]) == slow
    assert text.startswith(f"{len(COSTS) - len(slow)} of the {len(COSTS)} take at most five times")
