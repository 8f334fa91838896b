"""Who lives in the demo: sign-ins, folders, and the people they write to.

The domains are reserved for examples (RFC 2606), so that nothing of the demo can ever leave it.
"""

from dataclasses import dataclass

AUTHSERV_ID = "mail.harbourlane.example"  # names our server in Authentication-Results (RFC 8601 section 2.5)

DEMO_PASSWORDS = {
    "maren@harbourlane.example": "tide-table-212",
    "tomasz@harbourlane.example": "ogonek-and-kerning",
    "maren@oldmail.example": "modem-noises",
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a name and an address."""

    name: str
    address: str

    @property
    def first(self) -> str:
        return self.name.split()[0]


MAREN = Person("Maren Lindqvist", "maren@harbourlane.example")
TOMASZ = Person("Tomasz Wiśniewski", "tomasz@harbourlane.example")
MAREN_OLD = Person("Maren Lindqvist", "maren@oldmail.example")
INGRID = Person("Ingrid Solberg", "ingrid@harbourlane.example")
AMARA = Person("Amara Okafor", "amara@pier4.example")
NOOR = Person("Noor van Dijk", "noor@ateliernoor.example")
RAFAEL = Person("Rafael Mendes", "rafael@mendesprint.example")
PRIYA = Person("Priya Raman", "priya@saltworks.example")
CHLOE = Person("Chloé Marchand", "chloe@marchand-photo.example")
MISAKI = Person("佐藤 美咲", "misaki@nami-gallery.example")
LAYLA = Person("ليلى حداد", "layla@bayt-almina.example")
JONAS = Person("Jonas Lindqvist", "jonas@lindqvist.example")
HEDDA = Person("Hedda Lindqvist", "hedda@lindqvist.example")
ODD = Person("Odd Fjelde", "odd@bergenstudio.example")
KATERINA = Person("Κατερίνα Παππά", "katerina@fotismos.example")
YAEL = Person("יעל בן־דוד", "yael@otiot.example")
LI = Person("李文", "liwen@zhidian.example")
DMITRI = Person("Дмитрий Орлов", "orlov@shrift.example")
GRETA = Person("Greta Höß", "greta@papierwerk.example")
BEATA = Person("Beata Wiśniewska", "beata@wisniewscy.example")
SOFIA = Person("Sofia Lind", "sofia@quaypress.example")
MATEO = Person("Mateo Cruz", "mateo@ferryworks.example")

CAST = (
    INGRID, AMARA, NOOR, RAFAEL, PRIYA, CHLOE, MISAKI, LAYLA, JONAS, HEDDA, ODD,
    KATERINA, YAEL, LI, DMITRI, GRETA, BEATA, SOFIA, MATEO,
)  # fmt: skip
ACCOUNTS = (MAREN, TOMASZ, MAREN_OLD)
DEMO_DOMAINS = frozenset(person.address.partition("@")[2] for person in (*ACCOUNTS, *CAST))

FOLDERS: tuple[tuple[str, str], ...] = (
    ("Drafts", "\\Drafts"),
    ("Sent", "\\Sent"),
    ("Archive", "\\Archive"),
    ("Spam", "\\Junk"),
    ("Trash", "\\Trash"),
    ("Clients", ""),
    ("Clients/Atelier Noor", ""),
    ("Clients/Pier 4", ""),
    ("Reading", ""),
    ("Travel", ""),
)
OWN_FOLDER = {MAREN.address: "Räkenskap {year}", TOMASZ.address: "Kroje i znaki"}
