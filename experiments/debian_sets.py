"""Two sets that nothing here was developed against, from Debian's archive, for `real_search.py`.

    apt-get download fortunes && dpkg-deb -x fortunes_*.deb FORTUNES
    apt-cache dumpavail > PACKAGES
    python experiments/debian_sets.py PACKAGES FORTUNES/usr/share/games/fortunes FOLDER

- debian_sections: the one-line description of a package, and the section of the archive that it is in. The
  packages of one source are in one split.
- fortunes: an entry of the fortune files, and the file that it is in.

Each set has train.csv, validation.csv and test.csv with the columns text and label.
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
ROWS = {"train": 45, "validation": 18, "test": 120}
"""Of each label, drawn at random; test has fewer where no more are left."""
LONGEST = 400
"""Characters."""
SEED = 17


def main() -> None:
    """Writes both sets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packages", type=Path)
    parser.add_argument("fortunes", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    write(sections(options.packages), options.folder / "debian_sections")
    write(fortunes(options.fortunes), options.folder / "fortunes")


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


def write(rows: pd.DataFrame, folder: Path) -> None:
    """The three files of a set."""
    folder.mkdir(parents=True, exist_ok=True)
    shuffled = rows.sample(frac=1, random_state=SEED)
    place, begin = shuffled.groupby("label").cumcount(), 0
    for split, count in ROWS.items():
        part = shuffled[(place >= begin) & (place < begin + count)][["text", "label"]]
        part.to_csv(folder / f"{split}.csv", index=False)
        print(f"{folder.name} {split}: {len(part)} rows, {part['label'].nunique()} labels")
        begin += count


if __name__ == "__main__":
    main()
