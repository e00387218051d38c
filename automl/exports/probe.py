"""The script that a fresh process runs to verify exported files.

It is text, not a module: the process must be able to do without this program. It stands in a file of its own, is run
in the folder of the exported files, and writes what they answered and how long that took.
"""

from __future__ import annotations

import textwrap

from automl.exporter import Loading

_SCRIPT = '''\
"""Load exported files as the model card says, run them, and write the outputs and times."""

import json
import sys
import time

BLOCKED = {blocked!r}


class Blocker:
    """Refuses packages that the files must do without."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"exported files must do without {{name}}")


sys.meta_path.insert(0, Blocker())
sys.path.insert(0, ".")

import numpy

{setup}


def predict(inputs):
{predict}
    return numpy.asarray(outputs)


inputs_path, outputs_path, times_path, warm_up, repeats, seconds = sys.argv[1:]
if "torch" in sys.modules:
    sys.modules["torch"].set_num_threads(1)
cases = dict(numpy.load(inputs_path))
numpy.savez(outputs_path, **{{name: predict(inputs) for name, inputs in cases.items()}})

one = next(inputs for inputs in cases.values() if len(inputs) == 1)
for _ in range(int(warm_up)):
    predict(one)
times = []
end = time.perf_counter() + float(seconds)
while len(times) < int(repeats) and (time.perf_counter() < end or len(times) < 3):
    start = time.perf_counter()
    predict(one)
    times.append(time.perf_counter() - start)
with open(times_path, "w") as file:
    json.dump(times, file)
'''


def script(loading: Loading, blocked: tuple[str, ...]) -> str:
    """Return the script that runs ``loading`` where the packages ``blocked`` cannot be imported."""
    return _SCRIPT.format(
        blocked=blocked,
        setup=textwrap.dedent(loading.setup).strip(),
        predict=textwrap.indent(textwrap.dedent(loading.predict).strip(), "    "),
    )
