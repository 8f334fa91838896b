"""Fills an empty store with the demo's people and two years of their mail."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from deploy.demo.content.clock import Clock
from deploy.demo.content.conversations import place_conversations
from deploy.demo.content.machines import place_builds, place_weekly_numbers
from deploy.demo.content.newsletters import place_newsletters
from deploy.demo.content.notices import place_notices
from deploy.demo.content.placing import Placed
from deploy.demo.content.special import place_special
from deploy.demo.content.strangers import place_strangers
from deploy.demo.people import ACCOUNTS, CAST, DEMO_PASSWORDS, FOLDERS, MAREN_OLD, OWN_FOLDER
from deploy.demo.store import NewMessage, Store


def all_mail(now: datetime) -> Iterator[Placed]:
    """Every message of the demo; the same for the same `now`, which is aware."""
    clock = Clock(now)
    for place in (
        place_conversations,
        place_notices,
        place_newsletters,
        place_builds,
        place_weekly_numbers,
        place_special,
        place_strangers,
    ):
        yield from place(clock)


def seed(store: Store, now: datetime) -> None:
    """Write everything in one transaction; every date is counted back from `now`."""
    boxes: dict[tuple[str, str], list[Placed]] = defaultdict(list)
    for placed in all_mail(now):
        boxes[placed.owner.address, placed.folder].append(placed)
    with store.transaction():
        for person in CAST:
            store.add_account(person.address, name=person.name, password="")
        for person in ACCOUNTS:
            account = store.add_account(person.address, name=person.name, password=DEMO_PASSWORDS[person.address])
            own = OWN_FOLDER.get(person.address, "").format(year=now.year)
            for name, special_use in (*FOLDERS, (own, "")) if person != MAREN_OLD else ():
                store.create_mailbox(account, name, special_use=special_use)
            for box in store.mailboxes(account):
                folder = "own" if box.name == own else box.name
                in_order = sorted(boxes.pop((person.address, folder), []), key=lambda placed: placed.when)
                store.append(box.id, [NewMessage(p.raw, p.flags, int(p.when.timestamp())) for p in in_order])
    if boxes:
        raise ValueError(f"no such mailboxes: {sorted(boxes)}")
