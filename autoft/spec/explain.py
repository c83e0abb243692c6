"""What every name in space.yaml means: the registries in words, for `autoft explain`."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from autoft.errors import Problem, SpecError
from autoft.spec.default_domains import default_domain_text
from autoft.spec.methods import Method
from autoft.spec.pruners import PRUNERS
from autoft.spec.recommended import FITTED
from autoft.spec.samplers import SAMPLERS
from autoft.spec.study import SearchMethod
from autoft.spec.tasks import HYPERPARAMETERS, METRICS, TASKS
from autoft.spec.wording import got, nearest, number

STRATEGY = """\
How a search decides by default. Trial 0 is the recommended configuration for your rows and model, and for
the depth and the batch size that the space fixes; then come the entries of `first`, the recommended
configuration with fewer trained blocks and a larger learning rate, and the best of earlier studies
(`search.learn_from`). After that the sampler proposes where good trials are dense; it sees stopped and
running trials at the value that they would likely have at their full budget; before four have finished,
running ones only count as running. No trial is stopped in the first quarter of its budget, while its
learning rate rises, or before four trials have finished; trial 0 never is. After that the best third go on.
A trial's score is its best measurement. The winner is the finished trial with the best score; the end says
where that is better than trial 0 by no more than noise. With `confirm` it is chosen on fresh seeds instead.
Of `budget.time` the end is kept for what `confirm` and `refit` will take, by the time of the best trials,
at most half: no trial begins there. `autoft show STUDY` says against whom a trial was stopped, and by how
much."""


@dataclass(frozen=True)
class Topic:
    """One name that space.yaml can hold."""

    kind: str
    """`task`, `hyperparameter`, `metric`, `sampler` or `pruner`."""
    name: str
    meaning: str
    default: str = ""
    """The value where it is absent, or that this name itself is the default; empty where neither is so."""
    facts: dict[str, str] = field(default_factory=dict)
    """What else there is to know, by its heading, such as `takes`."""


def topics() -> tuple[Topic, ...]:
    """Everything that can be explained, in the order in which it is shown."""
    return (*_tasks(), *_hyperparameters(), *_metrics(), *_samplers(), *_pruners())


def find(name: str) -> tuple[Topic, ...]:
    """The topics of that name, or of that kind (`metric`, `metrics`).

    Raises SpecError with the nearest name where there is none.
    """
    found = tuple(topic for topic in topics() if name in (topic.name, topic.kind, f"{topic.kind}s"))
    if found:
        return found
    meant = nearest(name, [topic.name for topic in topics()])
    hint = f"; did you mean {meant!r}?" if meant else "; `autoft explain` lists them all"
    rule = f"must be a name that autoft knows, got {got(name)}{hint}"
    raise SpecError([Problem(0, "", rule, "explain")])


def explain(name: str | None = None) -> str:
    """Plain text about one name in full, or one line for each of all names.

    >>> print(explain("dropout"))
    dropout (hyperparameter)
      dropout probability in the trained blocks and the head; frozen blocks never drop
      takes: a number from 0 to below 1
      searched where it is not mentioned: 0 to 0.4
      default 0.1
    """
    return (
        "\n\n".join(_in_full(topic) for topic in find(name))
        if name
        else f"{STRATEGY}\n\n{_overview(topics())}"
    )


def _in_full(topic: Topic) -> str:
    lines = [f"{topic.name} ({topic.kind})", f"  {topic.meaning}"]
    lines += [f"  {heading}: {fact}" for heading, fact in topic.facts.items()]
    return "\n".join([*lines, f"  {topic.default}"] if topic.default else lines)


def _overview(all_topics: Sequence[Topic]) -> str:
    width = max(len(topic.name) for topic in all_topics)
    lines: list[str] = []
    kind = ""
    for topic in all_topics:
        if topic.kind != kind:
            kind = topic.kind
            lines += ["", f"{kind}s"]
        default = f" ({topic.default})" if topic.default else ""
        lines.append(f"  {topic.name:<{width}}  {topic.meaning}{default}")
    return "\n".join(lines).lstrip("\n")


def _tasks() -> list[Topic]:
    found = []
    for task in TASKS.values():
        columns = " or ".join(str(n) for n in range(1, task.max_inputs + 1))
        facts = {
            "input columns": columns,
            "hyperparameters": ", ".join(task.hyperparameters),
            "metrics": ", ".join(task.metrics),
        }
        found.append(Topic("task", task.name, task.meaning, facts=facts))
    return found


def _hyperparameters() -> list[Topic]:
    found = []
    for each in HYPERPARAMETERS.values():
        default = each.default if isinstance(each.default, str) else number(each.default)
        if each.name in FITTED:
            default = "fits rows, labels and model; autoft check says what it is"
        facts = {"takes": each.takes}
        if searched := default_domain_text(each):
            facts["searched where it is not mentioned"] = searched
        found.append(Topic("hyperparameter", each.name, each.meaning, f"default {default}", facts))
    return found


def _metrics() -> list[Topic]:
    better = {"maximize": "higher is better", "minimize": "lower is better"}
    return [
        Topic("metric", each.name, each.meaning, facts={"direction": better[each.direction]})
        for each in METRICS.values()
    ]


def _samplers() -> list[Topic]:
    return [_method("sampler", method, SearchMethod.sampler) for method in SAMPLERS.values()]


def _pruners() -> list[Topic]:
    return [_method("pruner", method, SearchMethod.pruner) for method in PRUNERS.values()]


def _method(kind: str, method: Method, default: str) -> Topic:
    facts = {
        f"option {option.name}": f"{option.meaning}; {option.takes}, default {option.default}"
        for option in method.options
    }
    return Topic(kind, method.name, method.meaning, "the default" if method.name == default else "", facts)
