"""Words that say too little to be the short form of a name: places, generic words, other people's letters.

General English; edit freely, tests guard the effect.
"""

from __future__ import annotations

PLACES = frozenset({
    "africa", "african", "alabama", "alaska", "alberta", "america", "american", "americas",
    "amsterdam", "anshan", "argentina", "argentine", "arizona", "arkansas", "aruba", "asia",
    "asian", "athens", "atlanta", "atlantic", "austin", "australasia", "australia", "australian",
    "austria", "austrian", "bahrain", "baltic", "baltimore", "bangkok", "bangladesh", "barcelona",
    "bavarian", "beijing", "belgian", "belgium", "berlin", "birmingham", "bombay", "boston",
    "brasil", "brazil", "brazilian", "bristol", "britain", "british", "brooklyn", "brussels",
    "buffalo", "bulgaria", "cairo", "california", "canada", "canadian", "caribbean", "carolina",
    "central", "charlotte", "chicago", "chile", "chilean", "china", "chinese", "cincinnati",
    "cleveland", "colombia", "colombian", "colorado", "columbia", "columbus", "connecticut",
    "croatia", "cyprus", "czech", "dakota", "dalian", "dallas", "danish", "delaware", "delhi",
    "denmark", "denver", "detroit", "deutsche", "doha", "dubai", "dublin", "dutch", "east",
    "eastern", "edinburgh", "egypt", "egyptian", "england", "english", "euro", "europe", "european",
    "finland", "finnish", "florida", "france", "frankfurt", "french", "geneva", "georgia", "german",
    "germany", "glasgow", "global", "great", "greece", "greek", "guangdong", "guangzhou", "gulf",
    "hamburg", "hawaii", "hawaiian", "holland", "hong", "houston", "hudson", "hungarian", "hungary",
    "iceland", "idaho", "illinois", "india", "indian", "indiana", "indonesia", "indonesian",
    "international", "iowa", "iran", "iraq", "ireland", "irish", "israel", "israeli", "istanbul",
    "italia", "italian", "italy", "jakarta", "japan", "japanese", "jersey", "jordan", "kansas",
    "kazakhstan", "kentucky", "kenya", "kobe", "kong", "korea", "korean", "kuwait", "kyoto",
    "lagos", "las", "latin", "lebanon", "libya", "lincoln", "lisbon", "london", "los", "louisiana",
    "louisville", "luxembourg", "madrid", "maine", "malaysia", "malaysian", "manchester",
    "manhattan", "manila", "maryland", "massachusetts", "mediterranean", "melbourne", "memphis",
    "mexican", "mexico", "miami", "michigan", "mid", "midwest", "milan", "milwaukee", "minneapolis",
    "minnesota", "mississippi", "missouri", "montana", "montreal", "morocco", "moscow", "mumbai",
    "munich", "nashville", "nebraska", "nederland", "netherlands", "nevada", "new", "newcastle",
    "nigeria", "nippon", "nordic", "norfolk", "north", "northeast", "northern", "northwest",
    "norway", "norwegian", "nova", "ohio", "oklahoma", "omaha", "oman", "ontario", "oregon",
    "orlando", "osaka", "oslo", "oxford", "pacific", "pakistan", "panama", "paris", "pennsylvania",
    "perth", "peru", "philadelphia", "philippine", "philippines", "phoenix", "pittsburgh", "poland",
    "polish", "portland", "portugal", "portuguese", "prague", "qatar", "quebec", "queensland",
    "rhode", "richmond", "rochester", "romania", "rome", "russia", "russian", "sacramento", "san",
    "santa", "sao", "saudi", "scotland", "scottish", "seattle", "seoul", "serbia", "shanghai",
    "shenzhen", "sichuan", "siena", "singapore", "slovenia", "south", "southeast", "southern",
    "southwest", "spain", "spanish", "stockholm", "sweden", "swedish", "swiss", "switzerland",
    "sydney", "taiwan", "tampa", "tennessee", "texas", "thai", "thailand", "tokyo", "toronto",
    "tucson", "turk", "turkey", "turkish", "uk", "ukraine", "us", "usa", "utah", "vancouver",
    "vegas", "venezuela", "venice", "vermont", "vienna", "vietnam", "virginia", "wales", "warsaw",
    "washington", "west", "western", "wisconsin", "wyoming", "york", "yorkshire", "zealand",
    "zurich",
})  # fmt: skip
"""Places and their adjectives, folded: a company that begins with one is not called by it."""

GENERIC = frozenset({
    "advanced", "allgemeine", "alliance", "allied", "amalgamated", "applied", "april", "associated",
    "associates", "august", "banca", "banco", "bancorp", "bank", "banque", "basic", "best", "big",
    "bond", "cal", "capital", "chief", "china", "city", "commercial", "compagnie", "companhia",
    "consolidated", "cooperative", "credit", "credito", "crude", "december", "del", "development",
    "digital", "dollar", "dr", "eastman", "electronic", "energy", "enterprise", "equity", "export",
    "family", "farmers", "february", "federal", "federated", "financial", "first", "five",
    "foreign", "fortune", "free", "friday", "fund", "general", "gold", "golden", "government",
    "green", "health", "healthcare", "hedge", "home", "house", "imperial", "independent",
    "industrial", "industries", "institute", "insurance", "integrated", "interest", "iron",
    "january", "jones", "july", "june", "king", "las", "life", "list", "loan", "lucky", "man",
    "march", "market", "mary", "media", "medical", "merchants", "metropolitan", "mid", "mobile",
    "modern", "monday", "money", "monte", "morgan", "mutual", "national", "natural", "news", "next",
    "november", "october", "oil", "old", "one", "open", "park", "penn", "peoples", "petroleum",
    "place", "power", "president", "prime", "private", "public", "pure", "quality", "radio", "real",
    "red", "regional", "republic", "royal", "rural", "saturday", "savings", "science", "sea",
    "second", "security", "select", "senior", "september", "smart", "societe", "solid", "sovereign",
    "special", "st", "standard", "star", "state", "steel", "stock", "sun", "sunday", "tech",
    "technology", "telecom", "telekom", "the", "third", "thomson", "three", "thursday", "time",
    "times", "top", "trade", "trans", "travel", "tribune", "trust", "tuesday", "two", "union",
    "united", "universal", "urban", "van", "von", "wall", "wednesday", "white", "world",
})  # fmt: skip
"""Words so common at the head of names that alone they name no one."""

HEADS = frozenset({
    "alpha", "apex", "apollo", "atlas", "beacon", "century", "challenger", "citadel", "colonial",
    "constellation", "continental", "cornerstone", "crown", "discovery", "dominion", "eagle",
    "falcon", "freedom", "frontier", "genesis", "guardian", "hercules", "heritage", "horizon",
    "jupiter", "keystone", "legacy", "liberty", "mercury", "millennium", "monarch", "neptune",
    "omega", "omni", "orion", "paramount", "patriot", "pegasus", "pilgrim", "pinnacle", "pioneer",
    "polaris", "premier", "reliance", "saturn", "sentinel", "sigma", "sterling", "summit", "titan",
    "trinity", "triumph", "vanguard", "victory", "vista",
})  # fmt: skip
"""Words that many companies' names begin with: alone they name one only beside its longer name."""

INDICES = frozenset({"bovespa", "cac", "dax", "dow", "ftse", "ibex", "nasdaq", "nikkei", "sensex"})
"""Markets that the news calls by the name of who runs them."""

ABBREVIATIONS = frozenset({
    "aa", "aaa", "abc", "abs", "ac", "ad", "ads", "agm", "ai", "aids", "am", "aml", "ap", "apec",
    "api", "aps", "asap", "asean", "asic", "atm", "ba", "bb", "bbb", "bbc", "bc", "bis", "bn",
    "boe", "boj", "bp", "bps", "bric", "ca", "cbo", "cc", "cd", "cdc", "cdo", "cdos", "cds", "ceo",
    "cfa", "cfo", "cftc", "cia", "cio", "cms", "co", "coo", "cpa", "cpi", "cs", "csr", "ct", "cv",
    "da", "db", "dc", "dea", "dj", "dna", "doe", "doj", "dot", "dr", "ebit", "ec", "ecb", "ecm",
    "egm", "eia", "ep", "epa", "eps", "er", "esg", "esm", "et", "etf", "etfs", "eu", "eur", "fa",
    "faa", "fbi", "fca", "fcc", "fda", "fdi", "fdic", "fed", "fifa", "fm", "fomc", "fsa", "ftc",
    "ftse", "fx", "fy", "gaap", "gao", "gb", "gbp", "gdp", "gi", "gmo", "gmt", "gnp", "gop", "gps",
    "h1", "h2", "hd", "hf", "hiv", "hk", "hr", "hs", "ib", "ibs", "id", "ie", "iea", "ifo", "ii",
    "iii", "imf", "io", "ip", "ipo", "ipos", "ir", "ira", "irs", "ism", "it", "ita", "itc", "iv",
    "jv", "la", "lbo", "lcd", "led", "lng", "lp", "lpg", "m&a", "ma", "mba", "mbs", "md", "mep",
    "mi", "mit", "mlb", "mn", "mo", "mp", "mps", "mr", "mri", "ms", "nasa", "nato", "nba", "nbc",
    "nc", "nd", "ne", "nfl", "ngl", "ngo", "nhl", "nhs", "nj", "nm", "no", "npl", "nsa", "ny",
    "nyc", "nymex", "nyse", "oecd", "ok", "on", "opec", "or", "otc", "oz", "pa", "pc", "pcs", "pe",
    "pl", "pm", "pmi", "pp", "ppi", "pr", "pt", "q&a", "q1", "q2", "q3", "q4", "qe", "r&b", "r&d",
    "rbi", "reg", "reit", "roe", "rpt", "s&l", "s&p", "sa", "sars", "sc", "sd", "sec", "sme",
    "smes", "sms", "snb", "so", "sos", "sp", "ss", "st", "stg", "suv", "suvs", "tarp", "tb", "td",
    "tm", "tn", "tv", "tvs", "tx", "uae", "uk", "un", "us", "usa", "usd", "usda", "va", "vat",
    "vip", "vp", "vs", "wa", "who", "wi", "wsj", "wto", "wv", "xi", "yen",
})  # fmt: skip
"""Letters that already stand for something else in the news, folded."""

BLENDS = {
    "american": "Am", "edison": "ed", "express": "ex", "federal": "Fed", "consolidated": "Con",
    "international": "inter", "mutual": "mu", "national": "Nat",
}  # fmt: skip
"""How words are shortened where a name is blended of two: American Express, Amex."""

CLIPPED = {
    "airlines": "Air", "airways": "Air", "chemical": "Chem", "chemicals": "Chem",
    "communications": "Comm", "electric": "Elec", "electronics": "Elec", "energy": "Ener",
    "financial": "Fin", "industries": "Ind", "insurance": "Ins", "international": "Intl",
    "manufacturing": "Mfg", "microsystems": "Micro", "mortgage": "Mtg", "mutual": "Mut",
    "petroleum": "Pete", "pharmaceutical": "Pharma", "pharmaceuticals": "Pharma",
    "scientific": "Sci", "semiconductor": "Semi", "systems": "Sys", "technologies": "Tech",
    "technology": "Tech", "telecommunications": "Telecom",
}  # fmt: skip
"""How headlines clip the last word of a name: Boston Scientific, Boston Sci."""
