"""Words that decide whether a name is meant as a company.

General English; edit freely, tests guard the effect.
"""

from __future__ import annotations

ORDINARY = frozenset({
    "airbus", "alphabet", "amazon", "apache", "apple", "berkshire", "carnival", "caterpillar",
    "coach", "coke", "constellation", "corning", "cruise", "dell", "diamond", "dominion", "dover",
    "eagle", "entergy", "equinox", "expedia", "fastenal", "fiat", "ford", "fortune", "general",
    "genuine", "glencore", "goldman", "hess", "honest", "humana", "intel", "intuit", "kellogg",
    "king", "kraft", "lam", "lincoln", "massey", "merck", "monster", "mosaic", "nasdaq", "news",
    "nike", "oracle", "palo", "paramount", "philips", "polo", "raymond", "regions", "robinhood",
    "roche", "salesforce", "sap", "shell", "sherwin", "snap", "snowflake", "southern", "sprint",
    "square", "staples", "steel", "sun", "sunrise", "sybase", "tandem", "tapestry", "tesla",
    "textron", "travelers", "twitter", "ups", "vale", "viacom", "virgin", "wolf", "yahoo", "yellow",
    "zoom",
})  # fmt: skip
"""Names that need a capital: in lower case they are ordinary words or other things."""

TREACHEROUS = frozenset({
    "access", "advance", "aim", "alliance", "ally", "assured", "aware", "balance", "ball", "basic",
    "best", "beyond", "block", "bond", "box", "brink", "cable", "cash", "chase", "citizens",
    "clear", "clever", "compass", "core", "crane", "delta", "digital", "direct", "discover", "dish",
    "eastern", "edge", "energy", "enterprise", "equity", "everest", "express", "first", "fiscal",
    "five", "fiver", "focus", "fossil", "frontier", "galaxy", "gap", "gas", "genesis", "global",
    "globe", "guess", "harmony", "hope", "host", "icon", "impact", "insight", "invest", "key",
    "life", "limited", "match", "medium", "meta", "metro", "mobile", "national", "net", "next",
    "noble", "northern", "now", "open", "optimum", "orange", "outfront", "pace", "pacific", "palm",
    "peak", "pinnacle", "pioneer", "platinum", "polar", "pool", "post", "power", "premier", "prime",
    "principal", "progress", "progressive", "public", "quest", "range", "rapid", "reach", "regal",
    "relay", "reliance", "resolute", "ring", "rio", "rocket", "root", "sage", "sea", "select",
    "sky", "smart", "sonic", "spectrum", "sprouts", "star", "state", "strategy", "stride", "summit",
    "sunny", "super", "target", "tech", "texas", "tide", "time", "total", "trade", "trend", "trust",
    "united", "unity", "vector", "vest", "view", "visa", "vital", "wave", "western", "wish",
    "world", "yeti",
})  # fmt: skip
"""Names that need a capital and, where a capital says nothing (first word,
Title Case, ALL CAPS), a cue."""

ACTS = frozenset({
    "adds", "admits", "ag", "agrees", "aims", "announced", "announces", "apologises", "apologizes",
    "applauds", "appoints", "asa", "asks", "backs", "beats", "begins", "boosts", "boss", "breach",
    "buys", "canada", "ceo", "cfo", "chairman", "chief", "cites", "closes", "co", "combines",
    "company", "completes", "confirms", "considers", "coo", "corp", "corporation", "cuts",
    "declares", "defends", "delays", "denies", "discloses", "drops", "ends", "exec", "execs",
    "executive", "executives", "expands", "expects", "eyes", "faces", "fights", "files", "fires",
    "forms", "gets", "hack", "hackers", "halts", "hires", "hit", "hopes", "inc", "introduces",
    "investors", "joins", "launches", "lifts", "limited", "loses", "ltd", "makes", "misses",
    "mulls", "names", "nv", "offers", "opens", "ousted", "ousts", "pays", "picks", "plans", "plc",
    "posted", "posts", "pulls", "pushes", "raises", "recalls", "receives", "rejects", "reported",
    "reports", "resumes", "reveals", "sa", "said", "says", "scraps", "seeks", "sees", "sells",
    "sets", "settles", "shareholders", "shares", "shows", "shuts", "signs", "slashes", "spa", "spokesman",
    "spokeswoman", "starts", "stock", "sued", "sues", "suspends", "swings", "takes", "taps",
    "tells", "tops", "unveils", "urges", "vow", "vows", "wants", "warns", "weighs", "wins",
    "wireless",
})  # fmt: skip
"""Words after a treacherous name that make it an actor: companies say, sue, recall and have a
CEO."""

ACTS_WHEN_FIRST = frozenset({
    "board", "can", "cannot", "could", "had", "has", "is", "may", "might", "must", "to", "was",
    "will", "won't", "would",
})  # fmt: skip
"""The same, but only where the name begins the sentence ("Total to sell", not "brings total to
13")."""

GIVEN_NAMES = frozenset({
    "aaron", "adam", "alan", "alex", "alexander", "alice", "andrea", "andrew", "angela", "ann",
    "anna", "anne", "anthony", "antonio", "arthur", "barbara", "ben", "benjamin", "betty", "bill",
    "bob", "brandon", "brian", "bruce", "carl", "carlos", "carol", "catherine", "charles",
    "charlie", "chris", "christine", "christopher", "claire", "craig", "cynthia", "dan", "daniel",
    "dave", "david", "deborah", "dennis", "diane", "donald", "donna", "doris", "dorothy", "doug",
    "douglas", "ed", "edward", "eli", "elizabeth", "emily", "emma", "eric", "erik", "ethan", "eva",
    "frances", "francis", "frank", "fred", "gary", "george", "gerald", "glenn", "greg", "harold",
    "harrison", "harry", "heather", "helen", "henry", "howard", "ian", "jack", "jacob", "jake",
    "james", "jamie", "jane", "janet", "jason", "jay", "jean", "jeff", "jeffrey", "jennifer",
    "jeremy", "jerry", "jessica", "jim", "jimmy", "joan", "joe", "joel", "john", "johnny",
    "jonathan", "jose", "joseph", "joshua", "juan", "judy", "julia", "julie", "julius", "justin",
    "karen", "kate", "katherine", "kathleen", "keith", "kelly", "ken", "kenneth", "kevin", "kim",
    "kurt", "kyle", "larry", "laura", "lauren", "lee", "leo", "leon", "linda", "lisa", "louis",
    "lucas", "luis", "luke", "lynn", "marc", "margaret", "maria", "marie", "mark", "martin", "mary",
    "matt", "matthew", "meredith", "michael", "michelle", "mike", "nancy", "nathan", "neil",
    "nicholas", "nick", "nicole", "noah", "oliver", "oscar", "pamela", "pat", "patricia", "patrick",
    "paul", "pedro", "peter", "phil", "philip", "rachel", "ralph", "randy", "ray", "raymond",
    "rebecca", "richard", "rick", "rob", "robert", "robin", "roger", "ron", "ronald", "rose",
    "ross", "roy", "russell", "ruth", "ryan", "sam", "samuel", "sandra", "sara", "sarah", "scott",
    "sean", "sharon", "simon", "sophie", "stephanie", "stephen", "steve", "steven", "stuart", "sue",
    "susan", "ted", "teresa", "terry", "thomas", "tim", "timothy", "todd", "tom", "tony", "tyler",
    "victor", "victoria", "vincent", "walt", "walter", "wayne", "wendy", "will", "william", "zach",
})  # fmt: skip
"""Common given names: what follows is a person, not the company that bears the same name."""

SURNAMES = frozenset({
    "adams", "alexander", "allen", "anderson", "arnold", "bailey", "baker", "barnes", "bell",
    "bennett", "black", "boyd", "bradley", "brooks", "brown", "bryant", "burns", "butler",
    "campbell", "carter", "clark", "cole", "coleman", "collins", "cook", "cooper", "cox",
    "crawford", "cunningham", "daniels", "davis", "dixon", "dunn", "edwards", "elliott", "ellis",
    "evans", "ferguson", "fernandez", "fisher", "foster", "fox", "freeman", "garcia", "gardner",
    "gibson", "gonzalez", "gordon", "graham", "grant", "gray", "green", "griffin", "hall",
    "hamilton", "hansen", "harris", "harrison", "hart", "hawkins", "hayes", "henderson", "hicks",
    "hill", "hoffman", "holmes", "howard", "hughes", "hunt", "hunter", "jackson", "jacobs",
    "jenkins", "johnson", "jones", "jordan", "kelley", "kelly", "kennedy", "knight", "lewis",
    "long", "lopez", "marshall", "martin", "martinez", "mason", "mcdonald", "meyer", "miller",
    "mills", "mitchell", "moore", "morgan", "morris", "murphy", "murray", "myers", "nelson",
    "nichols", "olson", "owens", "palmer", "parker", "patel", "patterson", "payne", "perez",
    "perry", "peters", "peterson", "phillips", "pierce", "porter", "powell", "price", "reed",
    "reynolds", "rice", "richardson", "rivera", "roberts", "robertson", "robinson", "rodriguez",
    "rogers", "rose", "ross", "russell", "sanders", "schmidt", "shaw", "simmons", "simpson",
    "smith", "snyder", "spencer", "stephens", "stevens", "stewart", "stone", "sullivan", "taylor",
    "thompson", "tucker", "turner", "wagner", "walker", "wallace", "ward", "warren", "watson",
    "weaver", "webb", "wells", "west", "white", "williams", "wilson", "wood", "woods", "wright",
    "young",
})  # fmt: skip
"""Common surnames: of a long name that begins with one, it is no short form by itself."""

TITLES = frozenset({
    "dame", "gen", "general", "gov", "governor", "judge", "justice", "lord", "mayor", "minister",
    "miss", "mr", "mrs", "ms", "president", "prof", "professor", "rep", "representative",
    "secretary", "sen", "senator", "sheriff", "sir",
})  # fmt: skip
"""Words before a surname."""

ROLES = frozenset({
    "analyst", "boss", "ceo", "cfo", "chairman", "chief", "coo", "director", "economist",
    "executive", "founder", "lawyer", "manager", "spokesman", "spokeswoman", "strategist",
})  # fmt: skip
"""Words before a person's name."""

OTHER_BODIES = frozenset({
    "academy", "airport", "archipelago", "arena", "avenue", "basin", "bay", "beach", "bridge",
    "canyon", "castle", "cathedral", "center", "centre", "church", "clinic", "college", "council",
    "county", "creek", "delta", "district", "field", "fields", "forest", "foundation", "harbor",
    "harbour", "health", "hill", "hills", "hospital", "institute", "island", "islands", "lake",
    "library", "mountain", "mountains", "museum", "observatory", "park", "peninsula", "prize",
    "river", "road", "school", "seminary", "square", "stadium", "state", "street", "theater",
    "theatre", "town", "township", "university", "valley", "village",
})  # fmt: skip
"""Words that make another body, or a place, of the name before them: "Ford Health", "Vale Foundation"."""

PRESS_WORDS = frozenset({"agency", "daily", "news", "newspaper", "shimbun", "weekly"})
"""Small words that make a paper or an agency of a short form: "Asahi newspaper"."""

DECOYS = (
    "palm beach", "palm beaches", "palm springs", "palm coast", "palm desert", "palm bay",
    "palm oil", "palm sunday", "west palm", "palm tree", "palm trees", "niger delta",
    "nigeria's delta", "delta state", "mekong delta", "delta force", "pearl river delta",
    "delta airport", "total return", "total voting", "total number", "total recall",
    "total assets", "total sales", "total shares", "total value", "total cost", "total eclipse",
    "target price", "target prices", "target date", "inflation target", "rio de janeiro",
    "rio grande", "rio 2016", "city rio", "the amazon rainforest", "amazon rainforest",
    "amazon basin", "amazon river", "amazon conservation", "conservation in amazon",
    "amazon forest", "amazon indians", "amazon tribe", "amazon tribes", "amazon jungle",
    "amazon region", "visa application", "visa applications", "visa waiver", "visa ban",
    "visa rules", "visa program", "visa programme", "visa free", "visa policy", "visa holders",
    "shell company", "shell companies", "shell corporation", "met coke", "coke oven",
    "petroleum coke", "coking coal and coke", "sun valley", "silicon valley", "gap year",
    "world bank", "time magazine", "next year", "next week", "next month", "big apple",
    "ford foundation", "gerald ford", "tom ford", "next generation", "first target",
    "price target", "price targets", "nato target", "total revenue", "total revenues",
    "total debt", "total capital", "total loss", "total compensation", "apple juice",
    "apple cider", "apple pie", "apple growers", "tesla coil", "delta variant", "river delta",
    "orange county", "orange juice", "the nasdaq", "nasdaq composite", "nasdaq 100",
    "nasdaq futures", "nasdaq index", "nasdaq-listed", "dow jones industrial",
    "dow jones industrials",
)  # fmt: skip
"""Well-known phrases in which the word is not the company; they match nobody and, being longer,
they win."""
