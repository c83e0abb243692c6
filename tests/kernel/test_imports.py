import subprocess
import sys


def test_the_kernel_runs_where_nothing_else_of_the_house_is_installed():
    absent = ("datasets", "ray", "optuna", "mlflow", "pydantic", "ruamel", "typer", "rich")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent!r})); "  # None there is an ImportError
        "import autoft.kernel.workbench; from autoft.kernel.workbench import Workbench, rebuild"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
