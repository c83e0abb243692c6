"""The `model` of space.yaml: hub ids, folders and Python packages."""

import os
import re
from dataclasses import replace
from pathlib import Path as FilePath

from autoft.spec.document import ModelForm
from autoft.spec.location import Notes, Path
from autoft.spec.shape import fit
from autoft.spec.study import ModelRef
from autoft.spec.wording import got

_HUB_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*", re.ASCII)
_PACKAGE = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?", re.ASCII)
_FOLDER_STARTS = ("./", "../", "/", "~")


def read_models(raw: object, base: FilePath, notes: Notes) -> tuple[ModelRef, ...]:
    """The models that `raw` names; folders are relative to `base`. What is wrong goes to `notes`."""
    if not isinstance(raw, list):
        ref = _read(raw, ("model",), base, notes)
        return (ref,) if ref else ()
    if not raw:
        notes.add(("model",), "must name at least one model, got []")
    models: list[ModelRef] = []
    for index, item in enumerate(raw):
        ref = _read(item, ("model", index), base, notes)
        if ref and any(ref.name == other.name for other in models):
            notes.add(("model", index), f"must not be named twice, got {got(ref.name)}; remove one")
        elif ref:
            models.append(ref)
    return tuple(models)


def _read(raw: object, path: Path, base: FilePath, notes: Notes) -> ModelRef | None:
    revision, code, pickle = None, False, False
    if isinstance(raw, dict):
        form = fit(ModelForm, raw, path, notes)
        if form is None:
            return None
        raw, revision = form.id, form.revision
        code, pickle = form.trust_remote_code, form.allow_pickle
    rule = "must be a hub id such as org/name, a folder such as ./model, or package:NAME"
    if not isinstance(raw, str) or not raw:
        notes.add(path, f"{rule}, got {got(raw)}")
        return None
    if raw.startswith("package:"):
        ref = ModelRef(raw, "package", raw.removeprefix("package:"))
        good = bool(_PACKAGE.fullmatch(ref.location))
    elif raw in (".", "..") or raw.startswith(_FOLDER_STARTS) or _is_folder(base, raw):
        ref = ModelRef(raw, "folder", os.path.abspath(base / os.path.expanduser(raw)))
        good = "\x00" not in raw
    else:
        # The revision is part of the name: two revisions of one model are two choices.
        ref = ModelRef(f"{raw}@{revision}" if revision else raw, "hub", raw, revision)
        good = bool(_HUB_ID.fullmatch(raw)) and len(raw) <= 200
    if not good:
        notes.add(path, f"{rule}, got {got(raw)}")
        return None
    if revision and ref.kind != "hub":
        notes.add((*path, "revision"), f"is for hub models, got {got(revision)} for a {ref.kind}; remove it")
        return None
    return replace(ref, trust_remote_code=code, allow_pickle=pickle)


def _is_folder(base: FilePath, raw: str) -> bool:
    try:
        return (base / raw).is_dir()
    except (OSError, ValueError):  # longer than names can be, or with a null character
        return False
