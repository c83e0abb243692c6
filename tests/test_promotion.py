"""Who becomes champion: versions in a real MLflow whose every answer is written down."""

import shutil
from contextlib import chdir

import pyarrow as pa
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from autoft.data.overlap import row_digests
from autoft.errors import TrackingError
from autoft.promotion import Claim, promote_by_hand, settle
from autoft.tracking import aliases, store, tags
from autoft.tracking.projection import Projection
from autoft.tracking.registration import register_version
from autoft.tracking.registry import Registered

from .report.records import info, on_test, trial
from .tracking.answers import answering

LABELS = ("a", "b", "c")
ROWS = 80
"""Validation rows, none of them trained on."""
TRUTH = {f"word{row}": LABELS[row % 3] for row in range(ROWS)}
TRAINED = [f"train{row}" for row in range(20)]


def answers(wrong):
    """Right but for so many rows, from the first on."""
    return {
        word: LABELS[(LABELS.index(label) + (row < wrong)) % 3]
        for row, (word, label) in enumerate(TRUTH.items())
    }


def digests(words):
    return row_digests(pa.table({"input_0": pa.array(words, pa.large_string())}))


MODELS = {
    "right": answering(answers(0), LABELS, digests(TRAINED), ("word0",)),
    "two wrong": answering(answers(2), LABELS, digests(TRAINED), ("word0",)),
    "third right": answering(answers(54), LABELS, digests(TRAINED), ("word0",)),
    "unsure": answering(answers(0), LABELS, digests(TRAINED), ("word0",), sureness=1.0),
    "has seen 31": answering(answers(0), LABELS, digests([*TRAINED, *list(TRUTH)[:31]]), ("word0",)),
    "has seen 30": answering(answers(30), LABELS, digests([*TRAINED, *list(TRUTH)[:30]]), ("word0",)),
    "other labels": answering(
        {w: x.replace("c", "z") for w, x in answers(0).items()}, ("a", "b", "z"), digests(TRAINED), ("word0",)
    ),
    "pairs": answering(answers(0), LABELS, digests(TRAINED), ("word0", "word1")),
}


class World:
    """A registered model with a version of each kind, and who is champion of it."""

    name = "tickets"

    def __init__(self, uri, folder):
        self.uri = uri
        self.client = store.connect(uri)
        projection = Projection.open(self.client, store.experiment_id(self.client, "tickets"), info(), "id")
        self.versions = {}
        for number, (kind, tuned) in enumerate(MODELS.items()):
            projection.project(trial(number))
            where = (uri, "tickets", "id", info(), trial(number))
            self.versions[kind] = register_version(*where, tuned, self.name)
        source = self.client.get_model_version_download_uri(self.name, "1")
        damaged = shutil.copytree(source.removeprefix("file://"), folder / "damaged")
        next(damaged.rglob("*.safetensors")).unlink()
        for kind, place in {"foreign": folder / "nothing", "damaged": damaged}.items():
            version = self.client.create_model_version(self.name, source=str(place))
            self.versions[kind] = Registered(self.name, int(version.version), "")
        truth = [LABELS.index(label) for label in TRUTH.values()]
        self.rows = pa.table(
            {
                "input_0": pa.array(TRUTH, pa.large_string()),
                "target": pa.array(truth, pa.int32()),
                "split": ["validation"] * ROWS,
            }
        )

    def begin(self, champion):
        """Nothing is decided of any version, and only this one has an alias."""
        for alias in (aliases.CHAMPION, aliases.CANDIDATE, aliases.PREVIOUS):
            self.client.delete_registered_model_alias(self.name, alias)
        for version in self.versions.values():
            for tag in (tags.PROMOTION, tags.EVIDENCE):
                self.client.delete_model_version_tag(self.name, str(version.version), tag)
            self.client.update_model_version(self.name, str(version.version), "As it was made.")
        if champion is not None:
            self.point(champion)

    def point(self, kind, alias=aliases.CHAMPION):
        """What a person can do in the UI."""
        self.client.set_registered_model_alias(self.name, alias, str(self.versions[kind].version))

    def claim(self, kind, **changes):
        fields = {
            "uri": self.uri, "version": self.versions[kind], "study": "night", "rule": "if_better",
            "metric": "accuracy", "rows": self.rows, "targets": {"labels": LABELS},
            "split": "validation", "unfinished": None,
        }  # fmt: skip
        return Claim(**{**fields, **changes})

    def settle(self, kind, **changes):
        self.said = []
        return settle(self.claim(kind, **changes), self.said.append)

    def aliases(self):
        kinds = {version.version: kind for kind, version in self.versions.items()}
        there = self.client.get_registered_model(self.name).aliases
        return {alias: kinds[int(version)] for alias, version in there.items()}

    def told(self, kind):
        """The description and the tag of a version."""
        found = self.client.get_model_version(self.name, str(self.versions[kind].version))
        return found.description, found.tags.get(tags.EVIDENCE)


@pytest.fixture(scope="module")
def made(empty_database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("promotion")
    shutil.copy(empty_database, folder / "mlflow.db")
    with chdir(folder):
        return World(f"sqlite:///{folder}/mlflow.db", folder)


@pytest.fixture
def world(made):
    made.begin(None)
    return made


def test_the_first_version_is_champion_and_its_evidence_is_provisional(world):
    promotion = world.settle("third right")
    assert world.aliases() == {"champion": "third right"}
    assert (promotion.is_news, world.said) == (False, [])
    said = (
        "It became the champion, because there was none. "
        "This is provisional: no fresh seeds and no test split have confirmed it yet."
    )
    assert world.told("third right") == (f"As it was made. {said}", said)


def test_what_the_test_rows_have_said_is_the_evidence(world):
    promotion = world.settle("third right", tested=on_test())
    assert (promotion.evidence, promotion.verdict) == (
        "became the champion, because there was none.",
        "The test rows say so.",
    )
    assert world.told("third right")[0].endswith("because there was none. The test rows say so.")
    promotion = world.settle("right", tested=on_test(), split="test")
    assert "on 80 test rows that neither was trained on" in promotion.evidence
    assert "provisional" not in promotion.evidence and "chose it" not in promotion.evidence


def test_what_the_test_rows_object_to_is_no_champion_even_where_there_is_none(world):
    promotion = world.settle("third right", tested=on_test(), objection="nothing was learned")
    assert world.aliases() == {"candidate": "third right"}
    assert promotion.said_of("It") == (
        "It stays candidate: nothing was learned. To use it all the same: autoft promote night"
    )
    world.begin(None)
    assert world.settle("right", objection="bad", rule="always").alias == "champion"


def test_nobody_becomes_champion_before_the_test_rows_are_asked(world):
    promotion = world.settle("third right", untested=True, unfinished="3 of 24 trials")
    assert world.aliases() == {"candidate": "third right"}
    assert promotion.evidence == (
        "stays candidate: the test rows have not been asked yet. The budget is unfinished (3 of 24 trials)."
    )
    assert "Run the same command again" in promotion.advice and not promotion.final
    assert world.settle("third right", tested=on_test()).alias == "champion"  # once they are, it is decided
    world.begin(None)
    assert world.settle("right", untested=True, rule="always").alias == "champion"


def test_a_version_that_was_trained_again_takes_over_from_that_of_the_same_trial(world):
    before, kind = MODELS["right"], "right"
    source = world.client.get_model_version(world.name, str(world.versions[kind].version)).source
    run_id = world.versions[kind].run_id
    made = world.client.create_model_version(world.name, source, run_id)
    again = Registered(world.name, int(made.version), run_id)
    world.point("third right")
    promotion = settle(world.claim(kind, version=again, before=lambda: before), lambda _: None)
    assert "accuracy is 1.0000 before it was trained again on the validation rows, and" in promotion.evidence
    world.begin(kind)
    world.client.delete_model_version_tag(world.name, made.version, tags.PROMOTION)
    promotion = settle(world.claim(kind, version=again, before=lambda: before), lambda _: None)
    assert promotion.replaced == world.versions[kind].version
    assert "it is the same trial, trained again on the validation rows too." in promotion.evidence
    world.client.delete_model_version(world.name, made.version)


def test_the_first_version_of_an_unfinished_budget_is_champion_and_says_so(world):
    promotion = world.settle("third right", unfinished="1 of 4 trials")
    assert world.aliases() == {"champion": "third right"}
    assert promotion.is_news
    assert "there was none. The budget is unfinished (1 of 4 trials)" in promotion.said_of(
        "models:/tickets/3"
    )
    assert "takes over if it is better by more than chance" in promotion.advice


def test_a_worse_model_stays_candidate_and_the_champion_stays(world):
    world.begin("right")
    promotion = world.settle("third right")
    assert world.aliases() == {"champion": "right", "candidate": "third right"}
    # 26 of 80 rows are right.
    assert promotion.said_of("models:/tickets/3").startswith(
        "models:/tickets/3 stays candidate: accuracy is 0.3250, and 1.0000 of version 1, on 80 validation "
        "rows that neither was trained on. The difference is -0.6750 (95 % bootstrap interval -0."
    )
    assert promotion.evidence.endswith("): not better by more than chance.")
    assert promotion.advice == "To use it all the same: autoft promote night"
    assert world.told("right") == ("As it was made.", None)
    assert world.said == ["comparing version 3 of tickets with version 1, the champion, on 80 rows"]


def test_a_better_model_takes_over_and_the_one_before_is_previous(world):
    world.begin("third right")
    world.point("right", aliases.CANDIDATE)  # as it is registered
    promotion = world.settle("right")
    assert world.aliases() == {"champion": "right", "previous": "third right"}
    assert (promotion.replaced, promotion.is_news) == (3, True)
    description, evidence = world.told("right")
    assert description == f"As it was made. {evidence}"
    assert evidence.startswith(
        "It took over from version 3, which now has the alias 'previous': accuracy is 1.0000, and 0.3250"
    )
    assert evidence.endswith(
        "This is provisional: the study chose it on these rows, and no fresh seeds and no test split have "
        "confirmed it yet."
    )
    figures = promotion.figures
    assert (figures["rows"], figures["one"], figures["champion"]) == (80, 1.0, 3)
    assert 0.55 < figures["low"] < 0.675 < figures["high"] < 0.8


def test_what_chance_explains_moves_nothing(world):
    world.begin("two wrong")
    promotion = world.settle("right")
    # A draw has neither of the two rows in exp(-2), or 14 %, of the cases.
    assert (promotion.figures["low"], promotion.figures["one"] > promotion.figures["other"]) == (0, True)
    assert world.aliases() == {"champion": "two wrong", "candidate": "right"}


def test_a_smaller_loss_is_better(world):
    world.begin("unsure")
    assert world.settle("right", metric="log_loss").alias == "champion"
    world.begin("right")
    assert world.settle("unsure", metric="log_loss").alias == "candidate"
    assert world.settle("unsure", metric="accuracy").alias == "candidate"


def test_rows_that_one_of_the_two_was_trained_on_do_not_count(world):
    world.begin("has seen 30")
    promotion = world.settle("right")
    # It is wrong on the 30 rows that it was trained on, and right on the others.
    assert (promotion.figures["rows"], promotion.figures["other"]) == (50, 1.0)
    assert world.aliases() == {"champion": "has seen 30", "candidate": "right"}


@pytest.mark.parametrize(("new", "old"), [("right", "has seen 31"), ("has seen 31", "right")])
def test_of_too_few_rows_nothing_is_concluded(world, new, old):
    world.begin(old)
    promotion = world.settle(new)
    assert "only 49 of the 80 validation rows are new to both" in promotion.evidence
    assert "fewer than 50 tell nothing" in promotion.evidence
    assert promotion.advice == (
        "Compare the two on rows of your own. To use it all the same: autoft promote night"
    )
    assert (world.aliases(), world.said) == ({"champion": old, "candidate": new}, [])


@pytest.mark.parametrize(
    ("champion", "why", "final"),
    [
        (
            "foreign",
            r"does not say which rows it was trained on: autoft did not make it, or an earlier",
            True,
        ),
        ("pairs", r"the champion, takes a pair of inputs, and this one takes one input", True),
        ("other labels", r"has other labels: it lacks `c` and it alone has `z`", True),
        ("damaged", r"the champion, cannot be read: .*safetensors", False),
    ],
)
def test_a_champion_that_cannot_be_compared_with_stays(world, champion, why, final):
    world.begin(champion)
    promotion = world.settle("right")
    assert world.aliases() == {"champion": champion, "candidate": "right"}
    assert promotion.final == final
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(promotion.evidence)


def test_an_unfinished_budget_decides_nothing_and_the_finished_one_does(world):
    world.begin("third right")
    promotion = world.settle("right", unfinished="3 of 24 trials")
    assert "the budget is unfinished (3 of 24 trials), and version 3 is the champion" in promotion.evidence
    assert promotion.advice.startswith(
        "Run the same command again to continue; it compares the two when the budget is met."
    )
    assert (world.aliases(), world.said) == ({"champion": "third right", "candidate": "right"}, [])
    assert world.settle("right").alias == "champion"
    description, evidence = world.told("right")
    assert description == f"As it was made. {evidence}"  # in the place of what was said before
    assert "took over" in evidence


def test_the_rule_can_be_always_or_never(world):
    assert world.settle("right", rule="never").evidence == "stays candidate: register.promote is never."
    assert world.aliases() == {"candidate": "right"}
    world.begin("right")
    always = world.settle("third right", rule="always", unfinished="1 of 4 trials")
    assert "register.promote is always, so nothing was compared." in always.evidence
    assert world.aliases() == {"champion": "third right", "previous": "right"}


def test_the_same_winner_again_changes_nothing(world):
    world.begin("two wrong")
    first = world.settle("right")
    again = world.settle("right")
    assert (again, world.said) == (first, [])  # not compared once more
    assert world.settle("right", rule="always").alias == "champion"  # asked for since then
    assert world.settle("right", rule="always").is_news is False
    assert world.aliases() == {"champion": "right", "previous": "two wrong"}


def test_who_goes_back_to_the_previous_one_is_not_overruled(world):
    world.begin("third right")
    world.settle("right")
    world.point("third right")
    promotion = world.settle("right")
    assert promotion.said_of("models:/tickets/1") == (
        "models:/tickets/1 is not the champion: version 3 is. To use it all the same: autoft promote night"
    )
    assert (world.aliases()["champion"], world.said) == ("third right", [])


def test_by_hand_anything_becomes_champion_and_stays_it(world):
    assert promote_by_hand(world.uri, world.versions["foreign"]) is None
    third = world.versions["third right"]
    assert promote_by_hand(world.uri, third) == world.versions["foreign"].version
    assert promote_by_hand(world.uri, third) == third.version
    assert world.aliases() == {"champion": "third right", "previous": "foreign"}
    number = world.versions["foreign"].version
    assert world.told("third right")[1] == (
        f"It was made champion in place of version {number} by hand (autoft promote); nothing was compared."
    )
    world.point("foreign")
    assert world.settle("third right").alias is None  # its turn was by hand
    assert world.aliases()["champion"] == "foreign"


def test_a_champion_that_changes_meanwhile_is_not_passed_over(world):
    world.begin("third right")
    with pytest.raises(TrackingError, match="another version of the model 'tickets' has become champion"):
        settle(world.claim("right"), lambda _: world.point("two wrong"))
    assert world.aliases() == {"champion": "two wrong"}
    assert world.settle("right").alias == "candidate"


def test_a_registry_in_trouble_is_not_one_without_a_champion(world, monkeypatch):
    world.begin("right")

    def broken(*_):
        raise MlflowException("the database is locked")

    monkeypatch.setattr(MlflowClient, "get_registered_model", broken)
    with pytest.raises(TrackingError, match="the database is locked"):
        world.settle("third right")
    monkeypatch.undo()
    assert world.aliases() == {"champion": "right"}


def test_what_the_registry_does_not_take_is_not_said_to_be_done(world, monkeypatch):
    world.begin("third right")
    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", lambda *_: None)
    with pytest.raises(TrackingError, match="has not set the alias previous and champion"):
        world.settle("right")
    monkeypatch.undo()
    assert world.settle("right").replaced == 3  # decided anew
