"""How often a fault is provoked at random: a few times with every run, a thousand when somebody asks for it."""

import os
import random
from collections.abc import Iterator

LONG_RUN = "MAILROOM_FAULT_ROUNDS" in os.environ
SEED = os.environ.get("MAILROOM_FAULT_SEED", "24")


def rounds(few: int) -> Iterator[random.Random]:
    """Sources of chance, one for each round: ``few``, or as many as MAILROOM_FAULT_ROUNDS says.

    MAILROOM_FAULT_SEED varies them; what a round draws depends on nothing but the seed and its number.
    """
    for number in range(int(os.environ.get("MAILROOM_FAULT_ROUNDS", few))):
        yield random.Random(f"{SEED}:{number}")
