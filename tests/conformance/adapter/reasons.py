"""Whether an error is the one that a case means: by the words that its category is made of.

A category like `outer_join_without_watermark` names topics. Those that stand below have to be spoken of in
the error; of three or more one may be missing. An error that only says that something is not there is not meant,
unless the category says so."""
import re

LACKS = r"no (operator|sink|source|format|function) `|has no option|did you mean|can't be parsed|expected here"
NAMES = ("column", "unresolved", "unknown", "option", "reference", "schema", "plugin")

TOPICS = {
    "aggregation": r"group|aggregat|count|window|complete",
    "append": r"append|final|adds rows",
    "complete": r"complete|replace|whole|must be one of|append",
    "update": r"update|chang|replace|append",
    "mode": r"mode|append|update|complete|must be one of|changes rows",
    "join": r"join|partner|type: must be one of|table",
    "outer": r"outer|semi|partner",
    "semi": r"semi|must be one of",
    "watermark": r"watermark|final|late|event time",
    "event": r"event.time|watermark",
    "session": r"session",
    "window": r"window|length|slide|session",
    "slide": r"slide",
    "length": r"length",
    "multiple": r"several|more than|earlier|already|again|two|twice|replace",
    "stateful": r"state|group|earlier|rows",
    "group": r"group|key|output_mode|state",
    "initial": r"initial",
    "duplicate": r"equal|twice|duplicate|already",
    "sink": r"sink",
    "file": r"file|path|changes rows|sinks",
    "static": r"table|static|type: must be one of",
    "union": r"union|input",
    "missing": r"nothing|missing|absent|not there|no dataset|does not exist|needs",
    "parent": r"input|nothing",
    "dataset": r"nothing|dataset|rows",
    "sort": r"order|sort",
    "sorting": r"order|sort",
    "order": r"order|sort",
    "limit": r"limit",
    "distinct": r"distinct",
    "timeout": r"timeout|timing|timer",
    "timer": r"timer|timeout",
    "ttl": r"ttl|time to live",
    "delay": r"delay",
    "negative": r"negative|at least|must|below|sign|-",
    "deduplicate": r"deduplicate|duplicates|within_watermark",
    "deduplication": r"deduplicate|duplicates|within_watermark",
    "duration": r"duration|delay|length|slide|interval|must|time",
    "null": r"null|nil|nothing",
    "return": r"nil|null|nothing|return",
    "checkpoint": r"checkpoint|log|state",
    "trigger": r"trigger",
    "path": r"path|file|exist",
    "inverse": r"inverse|undone|taken",
    "column": r"column|event time",
    "type": r"type|timestamp",
}
ALIASES = {"aggregate": "aggregation", "aggregations": "aggregation", "agg": "aggregation",
           "windows": "window", "duplicates": "duplicate", "dedup": "deduplicate",
           "groups": "group", "joins": "join", "columns": "column", "timers": "timer",
           "returned": "return", "returns": "return", "several": "multiple", "ordering": "order",
           "eventtime": "event", "modes": "mode"}


def topics(category):
    """The topics that a category names."""
    words = [ALIASES.get(word, word) for word in re.split(r"[^a-z]+", category.lower())]
    return [word for word in dict.fromkeys(words) if word in TOPICS]


def wrong_reason(category, text):
    """None where an error may be the one that is meant, else what is wrong."""
    category, text = str(category or ""), text or ""
    if not text.strip():
        return "the error has no text"
    if re.search(LACKS, text) and not any(name in category for name in NAMES):
        return text
    named = topics(category)
    spoken = [word for word in named if re.search(TOPICS[word], text, re.I)]
    if len(spoken) < len(named) - (len(named) > 2):
        return "%s is meant, not: %s" % (category, text)
    return None
