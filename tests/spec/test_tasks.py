"""Where the tasks come from: folders of `autoft/tasks/`, and packages of others."""

import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest

from autoft.spec.tasks import TASKS, _clash
from autoft.tasks.find import find_task

PACKAGE = """
from dataclasses import replace
from autoft.tasks.text_classification import TASK as KNOWN

TASK = replace(KNOWN, name="{name}", implementation="{module}:Mine")


class Mine:
    spec = TASK
"""
TELL = "from autoft.spec.tasks import TASKS; from autoft.tasks.find import find_task; "


def install(folder: Path, module: str, content: str) -> None:
    """A package of somebody else's, as pip lays it down."""
    (folder / f"{module}.py").write_text(content)
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[autoft.tasks]\n{module} = {module}:TASK\n")


def told(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """What a process with `folder` on its path prints."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); {TELL}{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_each_folder_is_a_task_whose_implementation_belongs_to_its_declaration():
    folders = {
        path.parent.name for path in (Path(__file__).parents[2] / "autoft/tasks").glob("*/__init__.py")
    }
    assert {task.implementation.split(".")[2] for task in TASKS.values()} == folders
    assert all(find_task(name).spec is task for name, task in TASKS.items())


def test_a_task_of_another_package_is_found(tmp_path):
    install(tmp_path, "acme_tasks", PACKAGE.format(name="acme-sorting", module="acme_tasks"))
    ran = told(tmp_path, "print(find_task('acme-sorting').spec is TASKS['acme-sorting'], len(TASKS))")
    assert (ran.stdout, ran.stderr) == (f"True {len(TASKS) + 1}\n", "")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("import nowhere_to_be_found", "it cannot be imported: ModuleNotFoundError("),
        ("TASK = 7", "it is no TaskSpec, but a int"),
    ],
)
def test_what_is_no_task_is_left_out_with_its_reason(tmp_path, content, why):
    install(tmp_path, "acme_broken", content)
    ran = told(tmp_path, "print(len(TASKS))")
    assert ran.stdout == f"{len(TASKS)}\n"
    assert f"the task acme_broken:TASK is left out: {why}" in ran.stderr


@pytest.mark.parametrize("name", TASKS)
def test_a_name_that_is_taken_stays_with_its_first_task(tmp_path, name):
    install(tmp_path, "acme_copy", PACKAGE.format(name=name, module="acme_copy"))
    ran = told(tmp_path, f"print(TASKS[{name!r}].implementation)")
    assert ran.stdout == f"{TASKS[name].implementation}\n"
    assert f"the task acme_copy:Mine is left out: {name} is {TASKS[name].implementation}" in ran.stderr


CLASHING = """
from dataclasses import replace
from autoft.spec.hyperparameters import COMMON, LABEL_SMOOTHING, MAX_LENGTH
from autoft.spec.metrics import Metric, by_name
from autoft.tasks.text_classification import TASK as KNOWN

TASK = replace(KNOWN, name="acme-sorting", implementation="acme_sorting:Mine", {changes})
"""


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ("own=(MAX_LENGTH, replace(LABEL_SMOOTHING, default=0.1))", "hyperparameter label_smoothing"),
        ("own=(replace(COMMON['batch_size'], high=8),)", "hyperparameter batch_size"),
        ("metrics=by_name(Metric('accuracy', 'minimize', 'of errors'))", "metric accuracy"),
    ],
)
def test_a_name_that_means_something_else_in_another_task_leaves_its_task_out(tmp_path, changes, what):
    """Names are looked up without their task: in resume states, in a node's memory of sizes, in lessons."""
    install(tmp_path, "acme_sorting", CLASHING.format(changes=changes))
    tell = "from autoft.spec.tasks import HYPERPARAMETERS as H, METRICS as M; "
    tell += "print(H['label_smoothing'].default, H['batch_size'].high, M['accuracy'].direction, len(TASKS))"
    ran = told(tmp_path, tell)
    assert ran.stdout == f"0.0 65536 maximize {len(TASKS)}\n"  # as autoft/tasks and COMMON declare them
    assert f"the task acme_sorting:Mine is left out: its {what} is not that of" in ran.stderr


def test_the_same_metric_in_other_words_is_no_clash(tmp_path):
    same = "metrics=by_name(Metric('accuracy', 'maximize', 'in words of its own'))"
    install(tmp_path, "acme_sorting", CLASHING.format(changes=same))
    ran = told(tmp_path, "print(TASKS['acme-sorting'].metrics['accuracy'].meaning)")
    assert (ran.stdout, ran.stderr) == ("in words of its own\n", "")


def test_the_tasks_of_the_package_agree_on_all_names():
    assert [_clash(one, other) for one, other in permutations(TASKS.values(), 2)] == [None] * (
        len(TASKS) * (len(TASKS) - 1)
    )
