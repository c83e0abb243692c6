"""The `space` of space.yaml, whole: entries, defaults, conditions, order."""

from collections.abc import Mapping, Sequence

from autoft.spec.conditions import in_order, read_conditions
from autoft.spec.domains import Entry, read_entry
from autoft.spec.hyperparameters import Hyperparameter
from autoft.spec.location import Notes
from autoft.spec.shape import unknown_key
from autoft.spec.space import Choice, Parameter, SearchSpace
from autoft.spec.wording import got

MODEL = "model"
"""The name under which the model is a parameter of a trial."""


def model_hyperparameter(names: Sequence[str]) -> Hyperparameter:
    """The model as a hyperparameter, so that conditions and `first` can name it."""
    return Hyperparameter(MODEL, "choice", names[0], "the pretrained model", choices=tuple(names))


def read_space(
    raw: object, models: Sequence[str], hyperparameters: Mapping[str, Hyperparameter], notes: Notes
) -> tuple[SearchSpace, frozenset[str]]:
    """The search space, and the names whose entries are broken (their notes are in `notes`).

    `models` are the models' names, empty where they are broken. A hyperparameter that the user does
    not mention is searched where it has a default domain, else it has its default value.
    """
    if raw is not None and not isinstance(raw, dict):
        notes.add(("space",), f"must map hyperparameters to values, as {{dropout: 0.1}}, got {got(raw)}")
    given = raw if isinstance(raw, dict) else {}
    for name in given:
        if name == MODEL:
            notes.add(
                ("space", name), "must be given at the top of the file, where a list is searched; move it"
            )
        elif name not in hyperparameters:
            notes.add(("space", name), unknown_key(name, hyperparameters, ("space",)))
    entries, broken = _entries(given, models, hyperparameters, notes)
    vocabulary = dict(hyperparameters)
    if models:
        vocabulary[MODEL] = model_hyperparameter(models)
    conditions = {
        name: read_conditions(entry, entries, broken, vocabulary, notes)
        for name, entry in entries.items()
        if entry.domain is not None
    }
    parameters = []
    for name in in_order(conditions, notes):
        domain = entries[name].domain
        assert domain is not None
        parameters.append(Parameter(name, domain, conditions[name], entries[name].by_default))
    fixed = {name: entry.value for name, entry in entries.items() if entry.value is not None}
    defaults = {name: each.default for name, each in hyperparameters.items()}
    return SearchSpace(fixed, tuple(parameters), defaults), frozenset(broken)


def _entries(
    given: Mapping[str, object],
    models: Sequence[str],
    hyperparameters: Mapping[str, Hyperparameter],
    notes: Notes,
) -> tuple[dict[str, Entry], set[str]]:
    """Entries in the registry's order, so that a study does not depend on the order of its lines."""
    entries: dict[str, Entry] = {}
    broken: set[str] = set()
    if len(models) > 1:
        entries[MODEL] = Entry(MODEL, Choice(tuple(models)))
    elif models:
        entries[MODEL] = Entry(MODEL, value=models[0])
    else:
        broken.add(MODEL)
    for name, hyperparameter in hyperparameters.items():
        if name in given:
            entry = read_entry(hyperparameter, given[name], notes)
            if entry is None:
                broken.add(name)
            else:
                entries[name] = entry
        elif hyperparameter.searched is not None:
            entries[name] = Entry(name, hyperparameter.searched, by_default=True)
    return entries, broken
