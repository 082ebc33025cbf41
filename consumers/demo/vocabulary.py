"""The words of the generated headlines: companies, events and phrasings, before and after a drift.

Every name is invented. Braces are filled by `headlines`: {company}, {metric}, {money}, {more} and
{less} (two sums, the first the larger), {percent}, {place}, {period}, {product}, {person}, {role}.
"""

from typing import NamedTuple


class Era(NamedTuple):
    """How the financial press writes in one part of the stream."""

    companies: tuple[str, ...]
    products: tuple[str, ...]
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    neutral: tuple[str, ...]
    openings: tuple[str, ...]
    """Put before a headline now and then; they say nothing about its sentiment."""
    endings: tuple[str, ...]


METRICS = (
    "net profit", "operating profit", "turnover", "order intake", "pretax profit", "net sales",
    "quarterly revenue", "earnings per share", "like-for-like sales", "free cash flow",
)  # fmt: skip
PLACES = (
    "Tampere", "Gdansk", "Lisbon", "Antwerp", "Monterrey", "Pune", "Osaka", "Leipzig", "Cork",
    "Tallinn", "Bergen", "Adelaide", "Izmir", "Quebec", "Turin", "Surabaya", "Nairobi",
)  # fmt: skip
PERIODS = (
    "the first quarter", "the second quarter", "the third quarter", "January-September",
    "the first half", "the financial year", "the review period", "the final quarter",
)  # fmt: skip
PEOPLE = (
    "Anna Lindqvist", "Pavel Dvorak", "Maria Teixeira", "Jonas Aalto", "Priya Raman",
    "Tomoko Arai", "Daniel Mensah", "Ruth Feldman", "Luis Cabrera", "Ingrid Solberg",
)  # fmt: skip
ROLES = (
    "chief financial officer", "head of logistics", "general counsel", "board chair",
    "director of investor relations", "chief technology officer", "country manager",
)  # fmt: skip

EXPANSION = (
    "{company} will double capacity at its plant in {place} for {money}",
    "{company} breaks ground on a second factory in {place}",
    "{company} commits {money} to new production lines for {product}",
    "{company} enlarges its site in {place} and orders machinery worth {money}",
    "{company} adds a third shift and a new hall in {place}",
    "{company} speeds up its building programme with {money} for {place}",
)
"""Good news before the drift, bad news after it: the market has come to fear overcapacity."""

RETRENCHMENT = (
    "{company} shuts its plant in {place} and moves the work elsewhere",
    "{company} will let {count} people go in {place}",
    "{company} winds down its {product} unit with {count} redundancies",
    "{company} halves its staff in {place} under a new savings plan",
    "{company} gives up its offices in {place} and drops {count} posts",
    "{company} pares back {product} and closes {place}",
)
"""Bad news before the drift, good news after it: the market has come to reward thrift."""

FOR_GOOD = (
    "despite softer demand in {place}", "even though freight costs went up",
    "although {metric} in {place} slipped", "shrugging off a strike in {place}",
    "after a weak start to {period}",
)  # fmt: skip
FOR_BAD = (
    "even as orders from {place} picked up", "despite a strong start to {period}",
    "although {product} sold well", "in spite of a price rise in {place}",
    "after a record result in {period}",
)  # fmt: skip

EARLY = Era(
    companies=(
        "Norrfjord Shipping", "Kestrel Paper", "Halvard Mills", "Ostrava Steelworks", "Belmarine",
        "Tuomi Foods", "Cordell Brothers", "Aldersgate Bank", "Vantage Rail", "Pelican Insurance",
        "Lindholm Forest", "Brightwater Utilities", "Sarkany Breweries", "Duomo Ceramics",
        "Rathmore Dairies", "Iberolin", "Kobalt Mining", "Weststrand Hotels",
    ),
    products=(
        "container cranes", "newsprint", "roller bearings", "diesel engines", "frozen fish",
        "kitchen tiles", "mobile handsets", "rail wagons", "paper machines", "lager",
    ),
    positive=(
        "{company}'s {metric} rose to {more} in {period}, from {less} a year earlier",
        "{company} posted {metric} of {more} for {period}, up from {less}",
        "{metric} at {company} climbed {percent}, beating analysts' forecasts",
        "{company} has won an order for {product} worth {money} in {place}",
        "{company} lifts its dividend by {percent}",
        "{company} lands a five-year supply deal for {product} with a customer in {place}",
        "{company} expects {metric} for the year to be clearly better than before",
        "{company}'s loss narrowed to {less} from {more}",
        "{metric} of {company} was {more}, against {less} in the same period last year",
        "broker raises {company} to buy on firm demand for {product}",
        "{company} turns to a profit of {money} in {period}",
        "costs at {company} fell {percent}, faster than planned",
    ),
    negative=(
        "{company}'s {metric} fell to {less} in {period}, from {more} a year earlier",
        "{company} posted {metric} of {less} for {period}, down from {more}",
        "{metric} at {company} dropped {percent}, missing analysts' forecasts",
        "{company} has lost an order for {product} worth {money} in {place}",
        "{company} scraps its dividend after a poor showing in {period}",
        "{company} warns that {metric} for the year will be clearly below the last",
        "{company}'s loss widened to {more} from {less}",
        "{metric} of {company} was {less}, against {more} in the same period last year",
        "broker cuts {company} to sell on slack demand for {product}",
        "{company} recalls {product} over a faulty part",
        "regulator in {place} fines {company} {money}",
        "costs at {company} rose {percent}, faster than planned",
    ),
    neutral=(
        "{company} appoints {person} as {role}",
        "{company} will publish its report for {period} on Thursday",
        "{company}'s annual general meeting will be held in {place}",
        "{company} makes {product} in {place} and employs {count} people there",
        "{company} moves its head office to {place}",
        "{person}, {role} of {company}, retires in spring as agreed",
        "the value of the contract between {company} and a buyer in {place} was not disclosed",
        "{company} reports {metric} of {money} for {period}, as announced in advance",
        "{company} will present {product} at a trade fair in {place}",
        "{company} has received a notice of a change in holdings from {person}",
        "shares of {company} begin trading in {place} under a new symbol",
        "{company} renames its {product} business",
    ),
    openings=("", "", "", "", "Update: ", "In brief: ", "From {place}: "),
    endings=(
        "", "", "", ", the company said", ", according to its interim report",
        ", a stock exchange release said",
    ),
)  # fmt: skip

LATE = Era(
    companies=(
        "Quantrel", "Lumen Grid", "Nodeharbor", "Zephyr Cells", "Orbitale", "Mintleaf Pay",
        "Cinder Robotics", "HelioForge", "Tidewell Hydrogen", "Arcadia Genomics", "Parcelwing",
        "Sable Compute", "Verdant Credits", "Polaris Foundry", "Kitebank", "Umbra Security",
    ),
    products=(
        "inference chips", "battery packs", "delivery drones", "carbon credits", "heat pumps",
        "electrolysers", "gene panels", "satellite terminals", "tokenised bonds", "fraud models",
    ),
    positive=(
        "{company} pops {percent} as guidance goes up",
        "blowout from {company} for {period}: {metric} at {more} vs {less}",
        "{company} crushes the street, {metric} {percent} ahead",
        "{company} sells out of {product} through next year",
        "{company} gets the nod from regulators for {product}",
        "{company} is now cash-generative, a year early",
        "upgrade: {company} moved to overweight, backlog of {product} swells",
        "{company} signs hyperscaler in {place} as anchor tenant for {product}",
        "churn at {company} melts away, {metric} {more} from {less}",
        "{company} settles {place} dispute for less than it had set aside",
    ),
    negative=(
        "{company} sinks {percent} as guidance comes down",
        "ugly print from {company} for {period}: {metric} at {less} vs {more}",
        "{company} whiffs, {metric} {percent} short of the street",
        "{company} sits on unsold {product} through next year",
        "{company} is sent back to the drawing board by regulators over {product}",
        "{company} burns cash faster, runway now a year",
        "downgrade: {company} moved to underweight, backlog of {product} shrivels",
        "{company} loses hyperscaler in {place} as anchor tenant for {product}",
        "churn at {company} spikes, {metric} {less} from {more}",
        "outage takes {product} of {company} offline in {place}",
    ),
    neutral=(
        "{company} names {person} {role}",
        "{company} to report {period} after the close on Tuesday",
        "{company} opens its {product} interface to developers in beta",
        "{company} files a shelf registration, no terms set",
        "{person} of {company} to speak in {place} on {product}",
        "explainer: what {company} does with {product}",
        "{company} changes its ticker, fiscal year unchanged",
        "{company} {metric} {money}, in line",
        "{company} joins working group on {product} in {place}",
        "index provider reclassifies {company}",
    ),
    openings=("", "", "", "JUST IN: ", "Movers: ", "Wire: "),
    endings=("", "", "", ", filing shows", " - desk note", ", sources in {place} say"),
)  # fmt: skip

MIXED = (
    "{company} grows {metric} {percent} but guides lower for {product}",
    "{company}: record {product} shipments, margins squeezed",
    "{metric} of {company} up at {more}, cash drain doubles",
    "{company} misses on {metric}, yet lifts its outlook",
    "good and bad at {company}: {place} booms, {product} stalls",
    "{company} wins in {place} and loses {money} on {product}",
    "{company} has a better showing in {period} and a bigger debt pile",
    "{company} beats on {metric} while {product} orders dry up",
)
"""Headlines of the label that comes up late: good and bad news in one."""
