"""Where Python looks for modules: not in the working directory, where any file may have a library's name.

Imported before everything else, so it imports nothing that is not there when Python starts.
"""

import os
import sys
from collections.abc import Iterable
from importlib.machinery import PathFinder
from pathlib import Path

_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""The folder that contains autoft itself."""


def is_command() -> bool:
    """Whether this process is the command `autoft` or `python -m autoft`, not a program that imports it."""
    if sys.argv[:1] == ["-m"]:  # its value while Python looks for the module to run
        return "autoft" in sys.orig_argv
    return os.path.basename(sys.argv[0] if sys.argv else "") in ("autoft", "autoft.exe")


def leave_out_working_directory() -> None:
    """Removes the working directory from the module search path of this process and its children."""
    sys.path[:] = without_working_directory(sys.path)
    os.environ.update(python_path())


def python_path() -> dict[str, str]:
    """PYTHONPATH without the working directory, which an empty part means; empty if it is not set."""
    given = os.environ.get("PYTHONPATH")
    if given is None:
        return {}
    return {"PYTHONPATH": os.pathsep.join(without_working_directory(given.split(os.pathsep)))}


def without_working_directory(places: Iterable[str]) -> list[str]:
    """`places` without the working directory; if that contains autoft itself, it comes last."""
    here = os.path.realpath(os.getcwd())
    kept = list(places)
    others = [place for place in kept if os.path.realpath(place or here) != here]
    return [*others, here] if len(others) < len(kept) and os.path.realpath(_OWN) == here else others


def hiding_files() -> list[Path]:
    """Files in the working directory, or beside the running script, that hide an installed module."""
    own = {os.path.realpath(place or os.getcwd()) for place in ("", *sys.path[:1])}
    others = [place for place in sys.path if os.path.realpath(place or os.getcwd()) not in own]
    found = []
    for folder in sorted(own):
        for path in sorted(Path(folder).iterdir()) if os.path.isdir(folder) else ():
            is_module = path.suffix in (".py", ".so") or (path / "__init__.py").is_file()
            name = path.name.partition(".")[0]
            if is_module and (name in sys.stdlib_module_names or PathFinder.find_spec(name, others)):
                found.append(path)
    return found
