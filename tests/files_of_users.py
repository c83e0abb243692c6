"""Files as people have them, for `autoft init`: each with what is to be found in it."""

import json
import random
from pathlib import Path

import pandas as pd

THINGS = ("lamp", "door sensor", "camera", "thermostat", "plug", "doorbell", "speaker", "hub")
GOOD = ("works well since the first day", "is easy to set up", "was worth every cent", "looks lovely at home")
BAD = (
    "broke within a week",
    "never found the network",
    "arrived with a crack",
    "makes a loud noise at night",
)


def sentence(rng: random.Random, good: bool) -> str:
    """Words that nobody has written before, about something good or bad."""
    thing, what = rng.choice(THINGS), rng.choice(GOOD if good else BAD)
    return (
        f"My {thing} from order {rng.randrange(10**6)} {what}, and I have had it for {rng.randrange(90)} days"
    )


def reviews(folder: Path) -> Path:
    """Reviews with ids, customers that come back, dates, a constant and an empty column; few are bad."""
    rng = random.Random(1)
    rows = [
        {
            "review_id": f"R{i:05}",
            "created": f"2026-01-{i % 28 + 1:02} 10:00",
            "customer_id": rng.randrange(60),
            "language": "en",
            "reply": "",
            "review": sentence(rng, good=i % 4 != 0),
            "sentiment": "negative" if i % 4 == 0 else "positive",
            "url": f"https://example.com/{i}",
        }
        for i in range(240)
    ]
    rows[7]["review"] = ""
    pd.DataFrame(rows).to_csv(folder / "reviews.csv", index=False)
    return folder / "reviews.csv"


def pairs(folder: Path) -> Path:
    """Premises that come back with other hypotheses, and a label's number."""
    rng = random.Random(2)
    premises = [sentence(rng, good=True) for _ in range(80)]
    rows = [
        {"premise": premises[i // 3], "hypothesis": sentence(rng, good=i % 2 == 0), "label": i % 3}
        for i in range(240)
    ]
    pd.DataFrame(rows).to_parquet(folder / "pairs.parquet")
    return folder / "pairs.parquet"


def tags(folder: Path) -> Path:
    """Words with a tag each, and an id."""
    rng = random.Random(3)
    with (folder / "names.jsonl").open("w") as file:
        for i in range(60):
            name = rng.choice(["Ada", "Grace", "Alan", "Edsger"])
            row = {
                "id": i,
                "tokens": ["yesterday", name, "went", "to", "Oslo", str(i)],
                "ner_tags": ["O", "B-PER", "O", "O", "B-LOC", "O"],
            }
            file.write(json.dumps(row) + "\n")
    return folder / "names.jsonl"


def several(folder: Path) -> Path:
    """Lists of labels, some of them empty, as a csv has them."""
    rng = random.Random(4)
    topics = ("delivery", "returns", "billing", "app")
    rows = [
        {
            "message": sentence(rng, good=True),
            "topics": json.dumps(sorted(rng.sample(topics, rng.randrange(3)))),
        }
        for _ in range(120)
    ]
    pd.DataFrame(rows).to_csv(folder / "messages.csv", index=False)
    return folder / "messages.csv"


def numbers(folder: Path) -> Path:
    """How alike two texts are, with decimals."""
    rng = random.Random(5)
    rows = [
        {
            "sentence1": sentence(rng, True),
            "sentence2": sentence(rng, False),
            "score": round(rng.random() * 5, 2),
        }
        for _ in range(120)
    ]
    pd.DataFrame(rows).to_csv(folder / "alike.tsv", index=False, sep="\t")
    return folder / "alike.tsv"


def splits(folder: Path) -> Path:
    """A folder of three files; train has a column more, and the same users as the others."""
    rng = random.Random(6)
    (folder / "intents").mkdir()
    for split, n in (("train", 120), ("dev", 40), ("test", 40)):
        rows = [
            {"utterance": sentence(rng, i % 2 == 0), "intent": f"{'keep' if i % 2 == 0 else 'return'}_it",
             "user": f"u{i % 25}"}
            for i in range(n)
        ]  # fmt: skip
        frame = pd.DataFrame(rows)
        if split == "train":
            frame["annotator"] = "me"
        frame.to_csv(folder / "intents" / f"{split}.csv", index=False)
    return folder / "intents"


def excel(folder: Path) -> Path:
    """As Excel writes it in Germany: semicolons, a mark of its encoding, commas in numbers, umlauts."""
    rng = random.Random(7)
    lines = ["Nr;Anliegen, wörtlich;Preis;Abteilung: wer"]
    for i in range(120):
        where = ("Rückgabe", "Zahlung", "Lieferung")[i % 3]
        text = f'"Schöne Grüße; die Türklingel {rng.randrange(10**6)} hört nicht auf zu läuten"'
        lines.append(f"{i + 1};{text};{rng.randrange(90)},{rng.randrange(100):02};{where}")
    (folder / "Anfragen 2026.csv").write_bytes("\r\n".join([*lines, ""]).encode("utf-8-sig"))
    return folder / "Anfragen 2026.csv"


def without_target(folder: Path) -> Path:
    """Texts with an id and a date, and nothing to be predicted."""
    rng = random.Random(8)
    rows = [{"id": f"T{i}", "date": f"{i % 28 + 1}.03.2026", "text": sentence(rng, True)} for i in range(60)]
    pd.DataFrame(rows).to_csv(folder / "texts.csv", index=False)
    return folder / "texts.csv"


def conll(folder: Path) -> Path:
    """A word a line with its tag, in a folder that has train and validation only."""
    (folder / "places").mkdir()
    for split, n in (("train", 60), ("validation", 20)):
        text = "".join(f"we O\nmet O\nin O\nNew B-LOC\nYork I-LOC\nat O\n{i} O\n\n" for i in range(n))
        (folder / "places" / f"{split}.conll").write_text(text)
    return folder / "places"


def long_texts(folder: Path) -> Path:
    """Long documents with a title, ratings from 1 to 5 and a length that nobody rates."""
    rng = random.Random(10)
    rows = [
        {
            "title": f"The {rng.choice(THINGS)} and its story number {i}",
            "body": " ".join(sentence(rng, i % 2 == 0) for _ in range(12)),
            "characters": 900 + rng.randrange(400),
            "stars": i % 5 + 1,
        }
        for i in range(150)
    ]
    pd.DataFrame(rows).to_json(folder / "stories.jsonl", orient="records", lines=True)
    return folder / "stories.jsonl"
