"""What the made-up shop is made of: small pools that the generator gathers from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Country:
    """A country with its share of the customers (in percent), names and ways to misspell it.

    E-mail domains lie under those that are reserved for examples: nobody gets mail by mistake.
    """

    name: str
    percent: int
    spellings: tuple[str, ...]
    domain: str
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COUNTRIES = (
    Country(
        "United States",
        27,
        ("USA", "U.S.A.", "us", "United States of America", "U.S."),
        "us.example.com",
        _words("James Mary Robert Patricia John Jennifer Michael Linda David William Barbara Aaliyah"),
        _words("Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez O'Brien Lopez Lee"),
    ),
    Country(
        "United Kingdom",
        13,
        ("UK", "U.K.", "Great Britain", "gb"),
        "uk.example.org",
        _words("Oliver Amelia George Isla Harry Ava Noah Mia Jack Grace Leo Freya Oscar Poppy"),
        _words("Taylor Davies Evans Thomas Roberts Walker Wright Robinson Thompson Hughes Clarke Patel Khan"),
    ),
    Country(
        "Germany",
        12,
        ("Deutschland", "DE", "Federal Republic of Germany"),
        "de.example.net",
        _words("Lukas Anna Jürgen Sophie Maximilian Lena Björn Käthe Paul Marie Felix Clara Jonas Emma"),
        _words(
            "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Groß"
        ),
    ),
    Country(
        "France",
        9,
        ("FR", "french republic", "FRA"),
        "fr.example.com",
        _words("Gabriel Louise Raphaël Jade Léo Chloé Jules Inès Hugo Zoé Arthur Éléonore Anaïs René"),
        _words("Martin Bernard Dubois Thomas Robert Richard Petit Durand Leroy Moreau Simon Lefèvre Garçon"),
    ),
    Country(
        "Brazil",
        8,
        ("Brasil", "BR"),
        "br.example.org",
        _words("Miguel Helena Arthur Alice Heitor Laura Davi Valentina Bernardo Júlia João Conceição"),
        _words("Silva Santos Oliveira Souza Rodrigues Ferreira Alves Pereira Lima Gomes Araújo Gonçalves"),
    ),
    Country(
        "Netherlands",
        6,
        ("Holland", "The Netherlands", "NL"),
        "nl.example.net",
        _words("Daan Emma Sem Julia Lucas Sophie Levi Tess Finn Saar Bram Fenna"),
        _words("Jansen Bakker Visser Smit Meijer Mulder Bos Vos Peters Hendriks Dekker Brouwer"),
    ),
    Country(
        "India",
        6,
        ("IN", "Republic of India", "IND"),
        "in.example.com",
        _words("Aarav Saanvi Vivaan Aadhya Aditya Kavya Arjun Diya Rohan Ananya Ishaan Meera"),
        _words("Sharma Verma Gupta Singh Kumar Reddy Nair Iyer Das Mehta Joshi Rao"),
    ),
    Country(
        "Spain",
        5,
        ("España", "ES", "Kingdom of Spain"),
        "es.example.org",
        _words("Hugo Lucía Martín Sofía Daniel Paula Íñigo María Álvaro Carmen José Begoña"),
        _words("García Fernández González López Sánchez Pérez Gómez Díaz Muñoz Álvarez Romero Núñez"),
    ),
    Country(
        "Italy",
        5,
        ("Italia", "IT", "ITA"),
        "it.example.net",
        _words(
            "Leonardo Giulia Francesco Aurora Lorenzo Alice Alessandro Ginevra Niccolò Chiara Matteo Noemi"
        ),
        _words("Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno D'Angelo"),
    ),
    Country(
        "Poland",
        3,
        ("Polska", "PL"),
        "pl.example.com",
        _words("Antoni Zuzanna Jakub Hanna Łukasz Maja Szymon Małgorzata Filip Zofia Paweł Agnieszka"),
        _words(
            "Nowak Kowalski Wiśniewski Wójcik Kowalczyk Kamiński Lewandowski Zieliński Szymański Dąbrowski"
        ),
    ),
    Country(
        "Sweden",
        3,
        ("Sverige", "SE"),
        "se.example.org",
        _words("William Alice Liam Maja Noah Vera Åsa Elsa Örjan Ebba Göran Astrid"),
        _words("Andersson Johansson Karlsson Nilsson Eriksson Larsson Olsson Persson Björk Sjöberg Ström"),
    ),
    Country(
        "Japan",
        3,
        ("JP", "日本", "JPN"),
        "jp.example.net",
        _words("Haruto Yui Sota Aoi Yuto Hina Ren Sakura Minato Rin Kenji Naoko"),
        _words("Sato Suzuki Takahashi Tanaka Watanabe Ito Yamamoto Nakamura Kobayashi Kato Yoshida Yamada"),
    ),
)

#: Spellings of countries that have no customers of their own in :data:`COUNTRIES`.
OTHER_SPELLINGS = (
    "Россия",
    "Russia",
    "Türkiye",
    "Viet Nam",
    "Korea, Republic of",
    "Ivory Coast",
    "CZ",
    "Eire",
)
UNKNOWN_COUNTRIES = ("Atlantis", "N/A", "??", "unknown", "EU", "Somewhere", "-", "12345")
#: Each with a place for a number, as a UNIQUE column may have to hold them.
MALFORMED_EMAILS = (
    "customer{}",
    "customer{}@@example.com",
    "customer{}(at)example.com",
    "customer{}@",
    "@customer{}.example.com",
    "customer {}@example.com",
    "customer{}@example",
    "n/a {}",
)
MASKED_EMAIL = "XXXXXXXXX"

#: Statuses with their shares in percent; what is young may still be on its way.
STATUSES = (
    ("completed", 62),
    ("shipped", 12),
    ("delivered", 16),
    ("cancelled", 4),
    ("refunded", 2),
    ("returned", 2),
    ("failed", 1),
    ("unavailable", 1),
)
YOUNG_STATUSES = ("pending", "processing")
UNKNOWN_STATUSES = ("lost?", "42", "complete-ish", "ERR")

#: A category with its typical price in cents and the things it sells.
CATEGORIES = (
    ("Books", 1490, _words("Novel Atlas Cookbook Biography Thriller Dictionary")),
    ("Music", 1290, _words("Album Songbook Record Metronome")),
    ("Films", 1590, _words("Drama Comedy Documentary Boxset")),
    ("Games", 3990, _words("Puzzle Console Controller Boardgame Dice")),
    ("Toys", 1990, _words("Train Doll Kite Robot Blocks")),
    ("Baby", 2490, _words("Blanket Bottle Stroller Rattle")),
    ("Phones", 49900, _words("Phone Charger Case Headset")),
    ("Computers", 89900, _words("Laptop Desktop Monitor Keyboard Mouse")),
    ("Tablets", 39900, _words("Tablet Stylus Stand")),
    ("Cameras", 59900, _words("Camera Lens Tripod Flash")),
    ("Audio", 12900, _words("Speaker Headphones Amplifier Turntable")),
    ("Television", 69900, _words("Television Projector Soundbar Remote")),
    ("Kitchen", 3490, _words("Pan Kettle Toaster Knife Mixer")),
    ("Tableware", 1890, _words("Plate Bowl Glass Carafe Cup")),
    ("Furniture", 24900, _words("Chair Table Shelf Sofa Desk")),
    ("Lighting", 5990, _words("Lamp Lantern Spotlight Bulb")),
    ("Bedding", 4990, _words("Pillow Duvet Mattress Sheet")),
    ("Bathroom", 1990, _words("Towel Mirror Bathmat Soap")),
    ("Garden", 2990, _words("Spade Hose Planter Rake Seeds")),
    ("Tools", 4490, _words("Hammer Drill Saw Wrench Level")),
    ("Hardware", 990, _words("Hinge Bolt Hook Lock")),
    ("Paint", 2290, _words("Primer Varnish Brush Roller")),
    ("Cars", 5990, _words("Tyre Wiper Battery Jack")),
    ("Bicycles", 39900, _words("Bicycle Helmet Saddle Pump")),
    ("Outdoor", 8990, _words("Tent Backpack Stove Compass")),
    ("Fitness", 3990, _words("Dumbbell Mat Rope Bench")),
    ("Football", 2990, _words("Ball Goal Jersey Whistle")),
    ("Fishing", 4990, _words("Rod Reel Net Lure")),
    ("Shoes", 7990, _words("Boots Sneakers Sandals Slippers")),
    ("Women", 4990, _words("Dress Blouse Skirt Cardigan")),
    ("Men", 4990, _words("Shirt Trousers Jacket Tie")),
    ("Kids", 2490, _words("Overall Pyjamas Raincoat Mittens")),
    ("Bags", 6990, _words("Handbag Suitcase Wallet Satchel")),
    ("Jewellery", 14900, _words("Ring Necklace Bracelet Earrings")),
    ("Watches", 19900, _words("Watch Strap Stopwatch Clock")),
    ("Beauty", 2290, _words("Cream Perfume Lipstick Serum")),
    ("Health", 1690, _words("Vitamins Thermometer Plaster Scale")),
    ("Groceries", 490, _words("Coffee Tea Honey Pasta Oil")),
    ("Pets", 1990, _words("Leash Basket Feed Aquarium")),
    ("Stationery", 690, _words("Pen Notebook Stapler Ink Folder")),
)
BRANDS = _words(
    "Aldona Borealis Cinder Dovetail Ember Fjord Granite Halcyon Indigo Juniper Kestrel Lumen Meridian Nimbus"
    " Ostara Pinnacle Quill Rowan Saffron Tundra Umber Verity Willow Zephyr"
)
GRADES = (
    "Basic",
    "Classic",
    "Compact",
    "Deluxe",
    "Eco",
    "Light",
    "Mini",
    "Original",
    "Plus",
    "Pro",
    "Travel",
    "XL",
)
