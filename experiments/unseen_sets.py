"""Four sets that nothing here was developed against, for `real_search.py`.

    apt-cache dumpavail > PACKAGES
    apt-get download fortunes wordnet-base && for each in *.deb; do dpkg-deb -x $each DEBIAN; done
    pip download --no-deps --no-binary :all: vaderSentiment==3.3.2, and unpack the archive in it
    python experiments/unseen_sets.py FOLDER --packages PACKAGES --fortunes DEBIAN/usr/share/games/fortunes \\
        --wordnet DEBIAN/usr/share/wordnet --snippets hutto_ICWSM_2014

- debian_sections: the one-line description of a package, and the section of the archive that it is in. The
  packages of one source are in one split.
- fortunes: an entry of the fortune files, and the file that it is in.
- wordnet_nouns: the definition of a noun, and its category, such as food (the lexicographer file).
- movie_snippets: a sentence of a film review, and whether its readers found it positive (Hutto and Gilbert,
  ICWSM 2014). Those of a mean rating within one point of neutral are left out, of a scale from -4 to 4.

Each set has train.csv, validation.csv and test.csv with the columns text and label. A set is written when its
source is given.
"""

import argparse
import re
from pathlib import Path

import pandas as pd

SECTIONS = (
    *("admin", "devel", "doc", "editors", "electronics", "fonts", "games", "gnome", "graphics", "mail"),
    *("math", "net", "science", "sound", "text", "utils", "video", "web"),
)
"""Those that say what a package is for, not what language it is written in."""
FORTUNES = (
    *("art", "computers", "definitions", "drugs", "education", "food", "law", "linux", "men-women"),
    *("people", "politics", "science", "songs-poems", "startrek", "work"),
)
NOUNS = {
    **{"04": "act", "05": "animal", "06": "artifact", "07": "attribute", "08": "body", "09": "cognition"},
    **{"10": "communication", "11": "event", "12": "feeling", "13": "food", "14": "group", "15": "location"},
    **{"17": "object", "18": "person", "19": "phenomenon", "20": "plant", "21": "possession"},
    **{"22": "process", "23": "quantity", "24": "relation", "25": "shape", "26": "state", "27": "substance"},
    **{"28": "time"},
}
"""The categories by their number in WordNet's files, without the two that have fewer than 100 nouns."""
NEUTRAL = 1.0
"""Mean ratings nearer to 0 than this are neither positive nor negative."""
ROWS = {"train": 45, "validation": 18, "test": 120}
"""Of each label, drawn at random; test has fewer where no more are left."""
ROWS_OF_TWO = {"train": 400, "validation": 160, "test": 1500}
"""The same of a set with two labels."""
LONGEST = 400
"""Characters."""
SEED = 17


def main() -> None:
    """Writes the sets whose sources are given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    for source in ("packages", "fortunes", "wordnet", "snippets"):
        parser.add_argument(f"--{source}", type=Path)
    options = parser.parse_args()
    if options.packages:
        write(sections(options.packages), options.folder / "debian_sections", ROWS)
    if options.fortunes:
        write(fortunes(options.fortunes), options.folder / "fortunes", ROWS)
    if options.wordnet:
        write(nouns(options.wordnet), options.folder / "wordnet_nouns", ROWS)
    if options.snippets:
        write(snippets(options.snippets), options.folder / "movie_snippets", ROWS_OF_TWO)


def sections(packages: Path) -> pd.DataFrame:
    """The columns text, label and group of each package, one row a description."""
    rows = []
    for paragraph in packages.read_text().split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", paragraph, re.MULTILINE))
        text = fields.get("Description-en", fields.get("Description", ""))
        if fields.get("Section") in SECTIONS and text:
            source = fields.get("Source", fields["Package"]).split()[0]
            rows.append({"text": text, "label": fields["Section"], "group": source})
    return pd.DataFrame(rows).drop_duplicates("text").drop_duplicates("group")


def fortunes(folder: Path) -> pd.DataFrame:
    """The columns text and label of each entry that is not too long, without the name of its author."""
    rows = []
    for name in FORTUNES:
        for entry in re.split(r"^%$", (folder / name).read_text(), flags=re.MULTILINE):
            text = " ".join(re.split(r"^\s*-- ", entry, flags=re.MULTILINE)[0].split())
            if text and len(text) <= LONGEST:
                rows.append({"text": text, "label": name})
    return pd.DataFrame(rows).drop_duplicates("text")


def nouns(folder: Path) -> pd.DataFrame:
    """The columns text and label of each noun: its definition without the examples, and its category."""
    rows = []
    for line in (folder / "data.noun").read_text().splitlines():
        head, _, gloss = line.partition(" | ")
        label = NOUNS.get(head[9:11])
        text = gloss.split('; "')[0].strip()
        if label and text and len(text) <= LONGEST:
            rows.append({"text": text, "label": label})
    return pd.DataFrame(rows).drop_duplicates("text")


def snippets(folder: Path) -> pd.DataFrame:
    """The columns text and label of each sentence that its readers found positive or negative."""
    source = folder / "movieReviewSnippets_GroundTruth.txt"
    columns = ["id", "rating", "text"]
    read = pd.read_csv(source, sep="\t", names=columns, quoting=3, encoding="latin-1").dropna()
    clear = read[read["rating"].abs() >= NEUTRAL]
    label = clear["rating"].gt(0).map({True: "positive", False: "negative"})
    return clear.assign(label=label)[["text", "label"]].drop_duplicates("text")


def write(rows: pd.DataFrame, folder: Path, counts: dict[str, int]) -> None:
    """The three files of a set, with so many rows of each label."""
    folder.mkdir(parents=True, exist_ok=True)
    shuffled = rows.sample(frac=1, random_state=SEED)
    place, begin = shuffled.groupby("label").cumcount(), 0
    for split, count in counts.items():
        part = shuffled[(place >= begin) & (place < begin + count)][["text", "label"]]
        part.to_csv(folder / f"{split}.csv", index=False)
        print(f"{folder.name} {split}: {len(part)} rows, {part['label'].nunique()} labels")
        begin += count


if __name__ == "__main__":
    main()
