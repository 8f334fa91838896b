"""What made-up mail says: people, subjects and words whose lengths and repetitions are those of ordinary mailboxes."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import accumulate

# Planted in subjects, so that a search is known to be rare, medium or common; no other word begins with one of them.
PLANTED = {"zephyrine": 1 / 10_000, "quartzite": 1 / 200, "lighthouse": 1 / 10}


def _words(text: str) -> list[str]:
    return text.split()


_GIVEN = _words(
    """
    Amara Tomasz Ingrid Mateo Yuki Leila Oskar Priya Chidi Noor Elif Hannah Bruno Mei Søren Zoë Anaïs Łukasz Jürgen
    Siobhán Ольга Дмитрий Ελένη 美咲 伟 지민 محمد दीपा Nguyễn François
    """
)
_FAMILY = _words(
    """
    Okafor Kowalski Lindqvist Fernández Tanaka Haddad Berg Raman Eze Aziz Yılmaz Fischer Costa Zhang Sørensen O'Brien
    Dubois Wójcik Müller Walsh Иванова Соколов Παππάς 佐藤 王 김 الحسن शर्मा Trần Lefèvre
    """
)
_SYLLABLES = _words(
    "ka re lo mi tan ver sol ine dra po ste fen gal or bi qua ti us en al mo ri sha de lu cor pa nel vi tro ham"
)
_OPENERS = ("Minutes of", "Question about", "Invoice for", "Draft of", "Photos from", "Offer:", "Meeting on", "")
_HOSTS = ("pier4.example", "harbourlane.example", "post.example", "lists.example", "shop.example", "uni.example")


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    address: str


class Writer:
    """Writes letters; the same seed writes the same ones."""

    def __init__(self, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.people = [self._person(number) for number in range(3000)]
        made = {self._word() for _ in range(9000)}
        self.words = sorted(made - set(PLANTED))
        self.random.shuffle(self.words)
        weights = [1 / (rank + 8) for rank in range(len(self.words))]  # Zipf's law: few words make most of a text
        self._sums = list(accumulate(weights))

    def _word(self) -> str:
        return "".join(self.random.choice(_SYLLABLES) for _ in range(self.random.choice((1, 2, 2, 3, 3, 4))))

    def _person(self, number: int) -> Person:
        given, family = self.random.choice(_GIVEN), self.random.choice(_FAMILY)
        local = f"{given}.{family}".lower() if f"{given}{family}".isascii() else f"person{number}"
        host = self.random.choice(_HOSTS)
        name = "" if number % 17 == 0 else f"{given} {family}"
        return Person(name, f"{local}.{number}@{host}".replace("'", ""))

    def text(self, least: int, most: int) -> str:
        """So many words, the frequent ones often."""
        count = self.random.randint(least, most)
        return " ".join(self.random.choices(self.words, cum_weights=self._sums, k=count))

    def subject(self) -> str:
        """A subject of 15–70 characters; some carry planted words."""
        chance = self.random.random
        planted = [word for word, share in PLANTED.items() if chance() < share]
        return " ".join(filter(None, (self.random.choice(_OPENERS), *planted, self.text(2, 7)))).strip()

    def sender(self) -> Person:
        """A few people write often, most write rarely."""
        return self.people[int(len(self.people) * self.random.random() ** 2.5)]
