"""Whether what is said of a winner is true: studies simulated on recorded answers, where the truth is known.

    python experiments/honesty.py [--json FILE] [--studies N] [--set NAME ...]

The rows of a set are the 600 recorded ones (quickstart: 272). A study's validation and test rows are
drawn from them with replacement, as many as were recorded of each. A configuration is one of those that
were recorded with two or three seeds. A fine-tuning of it answers each row as one of these runs did, drawn
row by row. Where the runs disagree the chance of a right answer is raised or lowered, once a fine-tuning,
so that the share of right answers varies between fine-tunings as between recorded seeds; both deviations
are printed. So rows and seeds of a study are independent draws from known populations, and the true score
of a configuration is the mean of many fine-tunings, each on all rows.

A study tries the recommended configuration and SEARCHED others. The best on its validation rows are
confirmed by the product's own functions (`candidates_of`, `rounds`, `decide`), and the winner is held
against the default on the test rows (`on_test.judge`). In `natural` studies the configurations are drawn
from the set. In `null` studies nothing is better than the default: each is the default with its answers
exchanged among rows of one label, for half of the rows. So as many are right, but what is hard for it is
not what is hard for the default.

- `gain`: the true score of what the confirmation picks minus that of the best validation score, with its
  error;
- `covered`: the share of 90 % intervals that cover the true difference from the default: of all that were
  compared, and of the one that was chosen; and of what was stated, at its own level (95 % of all
  comparisons);
- `default_said`: in which share it was said that nothing is better than the default by more than noise;
  of natural studies only those where that is so;
- `worse`, `worse_by_score`: the share whose winner is worse than the default by more than WORSE, after
  the confirmation and by the best validation score; `worse_promoted`: of the former those without an
  objection;
- `replicas`, `dropped`: of one study; `lost`: the share in which the best candidate was dropped.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from curves.configurations import RECOMMENDED
from curves.table import FOLDER, read_facts, unpacked

from autoft.judge.answers import Answers
from autoft.judge.conclusion import Conclusion, compared_of, decide, median_replica
from autoft.judge.expected import DRAWS, SEED, Scores, difference, score, together
from autoft.judge.on_test import judge
from autoft.judge.rounds import rounds
from autoft.kernel.measurement import Measurement
from autoft.study.comparison import candidates_of
from autoft.study.records import TrialRecord
from autoft.study.tested import DEFAULT as DEFAULT_NAME
from autoft.study.tested import WINNER
from autoft.tasks.classification_error import scores, standard_error
from autoft.tasks.find import find_task

SETS = ("quickstart", "sms_spam", "hard", "banking77_10shot", "clinc_domains")
SEARCHED = 10
"""Whole trials besides the default: of the 40 trials of a simulated search about so many are not stopped."""
TOP, SEEDS = 3, 5
LEVEL = 0.90
WORSE = 0.01
TRUTH_FROM = 400
"""Fine-tunings of which a true score is the mean."""
REST = ("worse_by_score", "worse", "worse_promoted", "replicas", "dropped", "lost")
TASK = find_task("text-classification")


class Population:
    """The rows of a set, and what each configuration answers to them."""

    def __init__(self, name: str) -> None:
        facts = read_facts(name)
        self.name, self.metric = name, TASK.spec.metrics[facts["objective"]]
        self.sizes = {split: facts["rows"][split] for split in ("validation", "test")}
        self.labels = np.concatenate([unpacked(facts["truth"][split]) for split in self.sizes]).astype(int)
        self.targets = {"labels": [str(label) for label in range(facts["labels"])]}
        runs: dict[int, list[np.ndarray]] = defaultdict(list)
        for line in (FOLDER / f"{name}.jsonl").read_text().splitlines():
            row = json.loads(line)
            answers = [unpacked(row["predicted"][split]) for split in self.sizes]
            runs[row["configuration"]].append(np.concatenate(answers).astype(int))
        self.runs = {number: np.stack(own) for number, own in runs.items() if len(own) > 1}
        self.spread = self._spread()

    def _spread(self) -> float:
        """Standard deviation of the share of right answers between seeds, beyond what rows drawn one by one
        give."""
        right = [own == self.labels for own in self.runs.values()]
        seeds = np.mean([each.mean(axis=1).var(ddof=1) for each in right])
        one_by_one = np.mean([(p := each.mean(axis=0)) @ (1 - p) for each in right]) / len(self.labels) ** 2
        return float(np.sqrt(max(0.0, seeds - one_by_one)))

    def tuned(self, runs: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """[rows]: what one fine-tuning answers."""
        right = runs == self.labels
        chance = right.mean(axis=0)
        disputed = (chance > 0) & (chance < 1)
        shift = random.normal(0, self.spread) * len(self.labels) / max(1, int(disputed.sum()))
        is_right = random.random(len(self.labels)) < chance + shift * disputed
        order = random.random(runs.shape) + (right == is_right)  # first any run that answers so
        return np.asarray(runs[order.argmax(axis=0), np.arange(runs.shape[1])])

    def variant(self, random: np.random.Generator) -> np.ndarray:
        """[runs, rows]: the default, as right as before, but on other rows."""
        runs, moved = self.runs[RECOMMENDED], random.random(len(self.labels)) < 0.5
        source = np.arange(len(self.labels))
        for label in np.unique(self.labels):
            rows = np.flatnonzero(moved & (self.labels == label))
            source[rows] = random.permutation(rows)
        return runs[:, source]

    def truth(self, runs: np.ndarray) -> float:
        """The expected score of a fine-tuning on all rows."""
        random, all_rows = np.random.default_rng(0), np.ones((1, len(self.labels)))
        made = (self.tuned(runs, random) for _ in range(TRUTH_FROM))
        return float(np.mean([self.score(all_rows, self.labels, each)[0] for each in made]))

    def score(self, counts: np.ndarray, labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """[draws]: of rows that each draw has so many times, `counts` [draws, rows]."""
        if self.metric.name == "accuracy":
            return np.asarray(counts @ (labels == predicted) / counts.sum(axis=1))
        return scores(self.metric.name, counts, labels, predicted)

    def logits(self, predicted: np.ndarray) -> np.ndarray:
        """As a model would give them."""
        return np.eye(len(self.targets["labels"]))[predicted] * 4.0


@dataclass(frozen=True)
class Candidate:
    """A configuration in one study."""

    runs: np.ndarray
    truth: float


class Study:
    """One simulated study: its rows, its trials, and the replicas that it would train."""

    def __init__(self, of: Population, configurations: Sequence[Candidate], seed: int) -> None:
        self.of, self.configurations, self.seed = of, configurations, seed
        random = np.random.default_rng(seed)
        self.validation, self.test = (random.integers(len(of.labels), size=n) for n in of.sizes.values())
        self.counts = _counts(len(self.validation))
        self.trials = [self._trial(number) for number in range(len(configurations))]

    def answers(self, number: int, place: int) -> np.ndarray:
        """Of a replica to all rows; place -1 is the trial itself."""
        random = np.random.default_rng([self.seed, number, place + 1])
        return self.of.tuned(self.configurations[number].runs, random)

    def scores(self, number: int, place: int) -> Scores:
        """As `expected.score` of one replica."""
        rows = self.validation
        found = self.of.score(self.counts, self.of.labels[rows], self.answers(number, place)[rows])
        return Scores(found[:1], found[1:, None])

    def scorable(self, number: int, place: int, rows: np.ndarray) -> tuple[Any, Any]:
        """What a task scores."""
        return {"logits": self.of.logits(self.answers(number, place)[rows])}, {"labels": self.of.labels[rows]}

    def _trial(self, number: int) -> TrialRecord:
        value, origin = float(self.scores(number, -1).whole[0]), "default" if number == 0 else None
        predictions, encoded = self.scorable(number, -1, self.validation)
        error = standard_error(self.of.metric.name, predictions["logits"], encoded["labels"])
        return record(number, value, origin, error)


def _counts(rows: int) -> np.ndarray:
    """[1 + DRAWS, rows]: how often each draw of `expected.score` has each row."""
    generator = np.random.default_rng(SEED)
    draws = [np.arange(rows), *(generator.integers(rows, size=rows) for _ in range(DRAWS))]
    return np.stack([np.bincount(draw, minlength=rows) for draw in draws])


def record(number: int, score: float, origin: str | None, error: float | None) -> TrialRecord:
    """A complete trial."""
    measured = Measurement(1, 1.0, 1, 1.0, {}, 1.0, training_s=1.0, error=error, last=True)
    return TrialRecord(
        number=number,
        state="COMPLETE",
        params={},
        values={"trial": number},
        seed=number,
        measurements=(measured,),
        score=score,
        best_index=1,
        reason=None,
        stop=None,
        origin=origin,
        traceback=None,
        node=None,
        started=None,
        finished=None,
        duration_s=None,
        attempt=1,
        micro_batch=None,
        checkpoint=None,
    )


@dataclass(frozen=True)
class Confirmed:
    """What a simulated confirmation has come to."""

    found: Conclusion
    scores: Mapping[int, Scores]
    replicas: int
    dropped: tuple[int, ...]


def confirm(study: Study, candidates: Sequence[TrialRecord]) -> Confirmed:
    """As `autoft.confirmation` does it."""
    metric = study.of.metric
    shown: dict[int, dict[int, Scores | None]] = {each.number: {} for each in candidates}
    while True:
        asked = rounds(metric, SEEDS, shown)
        missing = [(n, k) for n, seeds in asked.seeds.items() for k in range(seeds) if k not in shown[n]]
        if not missing:
            break
        for number, place in missing:
            shown[number][place] = study.scores(number, place)
    whole = {number: together([one for one in of.values() if one]) for number, of in shown.items()}
    compared = [compared_of(each, each.number == 0, [each], whole[each.number]) for each in candidates]
    found = decide(metric, len(study.validation), compared, whole, asked.dropped)
    return Confirmed(found, whole, sum(map(len, shown.values())), asked.dropped)


def told(study: Study) -> dict[str, Any]:
    """All that is counted of one study."""
    truths = [each.truth for each in study.configurations]
    candidates = candidates_of(study.trials, "maximize", TOP)
    confirmed = confirm(study, candidates)
    found, chosen = confirmed.found, confirmed.found.chosen
    by_score = candidates[0].number
    beside = {n: covers(confirmed, n, 0, truths) for n in confirmed.scores if n != 0}
    best = max(confirmed.scores, key=lambda number: truths[number])
    lead = found.lead
    return {
        "gain": truths[chosen] - truths[by_score],
        "replicas": confirmed.replicas,
        "dropped": len(confirmed.dropped),
        "all": list(beside.values()),
        "chosen": beside.get(chosen),
        "stated": lead and lead.low <= truths[chosen] - truths[lead.rival] <= lead.high,
        "nothing_better": max(truths) <= truths[0],
        "default_said": found.kind == "default",
        "worse_by_score": truths[by_score] < truths[0] - WORSE,
        "worse": truths[chosen] < truths[0] - WORSE,
        "worse_promoted": truths[chosen] < truths[0] - WORSE and promoted(study, confirmed),
        "lost": best in confirmed.dropped,
    }


def covers(confirmed: Confirmed, one: int, other: int, truths: Sequence[float]) -> bool:
    """Whether the interval of the difference at LEVEL covers the true one."""
    interval = difference(confirmed.scores[one], confirmed.scores[other], LEVEL)
    return interval.low <= truths[one] - truths[other] <= interval.high


def promoted(study: Study, confirmed: Confirmed) -> bool:
    """Whether the test rows have no objection to the winner's median replica beside the default's trial."""
    chosen = confirmed.found.chosen
    replicas = [record(k, value, None, None) for k, value in enumerate(confirmed.scores[chosen].whole)]
    place = median_replica(replicas, "maximize").number
    asked = {
        WINNER: study.scorable(chosen, place, study.test),
        DEFAULT_NAME: study.scorable(0, -1, study.test),
    }
    return judge(TASK, study.of.metric, study.of.targets, asked, None, 1).objection is None


def natural(of: Population, truths: Mapping[int, float], seed: int) -> Study:
    """The recommended configuration beside others of the set."""
    others = np.random.default_rng([seed, 1]).permutation([n for n in of.runs if n != RECOMMENDED])
    numbers = [RECOMMENDED, *others[:SEARCHED].tolist()]
    return Study(of, [Candidate(of.runs[number], truths[number]) for number in numbers], seed)


def null(of: Population, truth: float, seed: int) -> Study:
    """The recommended configuration beside others that are as good."""
    random = np.random.default_rng([seed, 2])
    default = Candidate(of.runs[RECOMMENDED], truth)
    return Study(of, [default, *(Candidate(of.variant(random), truth) for _ in range(SEARCHED))], seed)


def summarize(studies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Over the studies of one kind."""

    def share(name: str, among: Sequence[Mapping[str, Any]] = studies) -> float | None:
        known = [each[name] for each in among if each[name] is not None]
        return round(float(np.mean(known)), 4) if known else None

    gain = np.array([each["gain"] for each in studies])
    nothing = [each for each in studies if each["nothing_better"]]
    return {
        "studies": len(studies),
        "gain": [round(float(gain.mean()), 5), round(float(gain.std(ddof=1) / np.sqrt(len(gain))), 5)],
        "covered": {
            "all": round(float(np.mean([one for each in studies for one in each["all"]])), 4),
            **{name: share(name) for name in ("chosen", "stated")},
        },
        "nothing_better": len(nothing),
        "default_said": share("default_said", nothing),
        **{name: share(name) for name in REST},
    }


def check(study: Study) -> None:
    """That the fast scores are the product's."""
    predictions, encoded = study.scorable(1, 0, study.validation)
    found = score(TASK, study.of.metric.name, [Answers(predictions, encoded)], study.of.targets)
    mine = study.scores(1, 0)
    assert np.allclose(found.whole, mine.whole) and np.allclose(found.drawn, mine.drawn)


def seed_noise(of: Population) -> tuple[float, float]:
    """Standard deviation of the share of right answers between fine-tunings of a configuration, recorded and
    simulated."""
    random = np.random.default_rng(3)
    recorded = [(own == of.labels).mean(axis=1).var(ddof=1) for own in of.runs.values()]
    simulated = [
        np.var([(of.tuned(own, random) == of.labels).mean() for _ in range(100)], ddof=1)
        for own in of.runs.values()
    ]
    return round(float(np.sqrt(np.mean(recorded))), 4), round(float(np.sqrt(np.mean(simulated))), 4)


def main() -> None:
    """Simulates, prints a line a set and kind, and writes the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--studies", type=int, default=2000, help="natural ones and null ones, each")
    parser.add_argument("--set", action="append", choices=SETS, help="repeatable; default all")
    options = parser.parse_args()
    names, figures = options.set or SETS, {}
    everything: dict[str, list[dict[str, Any]]] = {"natural": [], "null": []}
    for name in names:
        of = Population(name)
        truths = {number: of.truth(runs) for number, runs in of.runs.items()}
        check(natural(of, truths, 0))
        print(f"{name}: standard deviation between seeds, recorded and simulated: {seed_noise(of)}")
        seeds = range(options.studies // len(names))
        results = {
            "natural": [told(natural(of, truths, seed)) for seed in seeds],
            "null": [told(null(of, truths[RECOMMENDED], seed)) for seed in seeds],
        }
        for kind, own in results.items():
            everything[kind] += own
            figures[f"{name} {kind}"] = summarize(own)
            print(f"{name} {kind}", json.dumps(figures[f"{name} {kind}"]), flush=True)
    for kind, own in everything.items():
        figures[f"all {kind}"] = summarize(own)
        print(f"all {kind}", json.dumps(figures[f"all {kind}"]))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    sys.exit(main())
