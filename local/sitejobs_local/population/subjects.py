"""Twenty subjects with fifteen interests each."""

SUBJECTS: dict[str, tuple[str, str]] = {
    "music": (
        "Music",
        "Jazz|Techno|Classical|Hip-hop|Indie rock|Opera|Folk|K-pop|Metal|Samba|Vinyl|Choir|Guitar|Piano|Festivals",
    ),
    "film": (
        "Film & TV",
        "Comedies|Thrillers|Documentaries|Anime|Horror|Silent films|French cinema|Bollywood|Sitcoms|Sci-fi|"
        "Film noir|Musicals|Westerns|Short films|True crime",
    ),
    "books": (
        "Books",
        "Novels|Poetry|Fantasy|Biographies|History|Comics|Philosophy|Crime novels|Essays|Manga|Classics|"
        "Book clubs|Libraries|Short stories|Writing",
    ),
    "food": (
        "Food",
        "Cooking|Baking|Street food|Vegan|Sushi|Barbecue|Cheese|Chocolate|Spicy food|Brunch|Tacos|Ramen|"
        "Fermentation|Food markets|Fine dining",
    ),
    "drinks": (
        "Drinks",
        "Coffee|Tea|Wine|Craft beer|Cocktails|Whisky|Mezcal|Sake|Kombucha|Home brewing|Juices|Gin|Cider|Rum|Mate",
    ),
    "sport": (
        "Sport",
        "Football|Basketball|Tennis|Running|Cycling|Swimming|Boxing|Climbing|Volleyball|Rugby|Cricket|Golf|"
        "Table tennis|Rowing|Fencing",
    ),
    "outdoors": (
        "Outdoors",
        "Hiking|Camping|Skiing|Surfing|Sailing|Birdwatching|Fishing|Kayaking|Gardening|Stargazing|Beach days|"
        "Foraging|Horse riding|Caving|Mountaineering",
    ),
    "wellness": (
        "Wellness",
        "Yoga|Meditation|Gym|Pilates|Sauna|Nutrition|Cold swims|Journaling|Massage|Sleep|Breathwork|Tai chi|"
        "Skincare|Therapy|Retreats",
    ),
    "travel": (
        "Travel",
        "City trips|Backpacking|Road trips|Night trains|Islands|Solo travel|Museums abroad|Languages|Van life|"
        "Food tours|Deserts|Volunteering abroad|House swaps|Cruises|Train spotting",
    ),
    "art": (
        "Art & design",
        "Painting|Photography|Museums|Drawing|Architecture|Sculpture|Street art|Calligraphy|Ceramics|Fashion|"
        "Graphic design|Printmaking|Interior design|Textiles|Art history",
    ),
    "stage": (
        "Stage",
        "Theatre|Stand-up|Ballet|Improv|Musical theatre|Circus|Spoken word|Drag|Magic|Puppetry|Playwriting|"
        "Cabaret|Storytelling|Opera nights|Street theatre",
    ),
    "dance": (
        "Dance",
        "Salsa|Tango|Swing|Bachata|Contemporary|Ballroom|Hip-hop dance|Flamenco|Folk dance|Clubbing|Zouk|"
        "Line dancing|Tap|Belly dance|Kizomba",
    ),
    "games": (
        "Games",
        "Board games|Video games|Chess|Poker|Tabletop RPGs|Puzzles|Escape rooms|Pub quizzes|Esports|Go|"
        "Retro consoles|Crosswords|Pinball|Darts|Larping",
    ),
    "tech": (
        "Technology",
        "Programming|Startups|Robotics|AI|3D printing|Open source|Electronics|Space|Drones|Privacy|Data|"
        "Home automation|Ham radio|VR|Podcasts about tech",
    ),
    "science": (
        "Science",
        "Biology|Physics|Astronomy|Psychology|Mathematics|Chemistry|Geology|Climate|Medicine|Neuroscience|"
        "Archaeology|Oceans|Botany|Linguistics|Popular science",
    ),
    "animals": (
        "Animals",
        "Dogs|Cats|Horses|Birds|Aquariums|Reptiles|Rabbits|Wildlife|Shelters|Beekeeping|Butterflies|Dog sports|"
        "Zoos|Insects|Farm animals",
    ),
    "home": (
        "Home & craft",
        "DIY|Knitting|House plants|Sewing|Woodwork|Furniture|Candles|Origami|Pottery|Jewellery|Upcycling|"
        "Crochet|Leatherwork|Model making|Tidying",
    ),
    "society": (
        "Society",
        "Politics|Volunteering|Feminism|Environment|Human rights|Local history|Debating|Economics|Education|"
        "Urbanism|Unions|Journalism|Law|Accessibility|Mutual aid",
    ),
    "spirit": (
        "Spirituality",
        "Astrology|Buddhism|Christianity|Islam|Judaism|Hinduism|Tarot|Philosophy of life|Pilgrimage|Gospel|"
        "Paganism|Stoicism|Sufism|Fasting|Prayer groups",
    ),
    "wheels": (
        "Cars & motors",
        "Classic cars|Motorbikes|Formula 1|Karting|Electric cars|Mechanics|Rally|Scooters|Vintage trams|"
        "Road cycling tech|Car camping|Trucks|Boats|Aviation|Model railways",
    ),
}


def interest_key(label: str) -> str:
    """A label's key: lower case, words joined by hyphens."""
    return "-".join(label.lower().replace("&", "and").split())
