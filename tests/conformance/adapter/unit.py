"""Cases of one function: a call of the engine's own one through the program `unit`, or a job that does
nothing but what the function does."""
from adapter import lua_units, reasons
from adapter.dstream import duration, timestamp
from adapter.expressions import interval
from adapter.outcome import Outcome, Skip, Unfit, canonical, differ

ON_DISK = "Spark's form on disk"
SKIPS = [("kafka_", "the partition arithmetic of Kafka sources belongs to that plugin"),
         ("received_block_tracker", "there are no receiver blocks: a spool has the records"),
         ("state_map", "an inner class of Spark without a counterpart"),
         ("get_or_create", "a job is always made from its file"),
         ("map_with_state_checkpoint_interval", "every batch is a checkpoint"),
         ("checkpoint_interval", "every batch is a checkpoint"),
         ("checkpoint_writer", ON_DISK), ("list_checkpoint_files", ON_DISK),
         ("log_file_text", ON_DISK), ("compactible_log_files", ON_DISK),
         ("valid_batches_before_compaction", ON_DISK), ("is_compaction_batch", ON_DISK)]
BY_PROGRAM = ("pid_rate_estimator", "receiver_rate_limiter", "time_floor", "batch_alignment",
              "processing_time_trigger", "event_time_stats", "memory_sink", "seen_files")


def player(case, engine):
    """The player for a case."""
    name = case["fn"]
    for skipped, why in SKIPS:
        if name == skipped or (skipped.endswith("_") and name.startswith(skipped)):
            raise Skip(why)
    if name in BY_PROGRAM:
        return by_program(case, engine)
    if name == "join_output_watermark":
        return join_watermarks(case, engine)
    if name in JOBS:
        return Jobs(case, *JOBS[name])
    if name in lua_units.FUNCTIONS:
        return lua_units.Units(case)
    raise Unfit("the function %r is not known" % name)


# ---- the program ----

def wanted(call):
    """What a call expects: the value, and the fields of an answer that it is about."""
    if "expect_trigger_times" in call:
        out = {"times": call["expect_trigger_times"]}
        if "then_waits_for_ms" in call:
            out["waits_for"] = call["then_waits_for_ms"]
        return out
    for key in ("expect", "expect_first", "expect_restart"):
        if key in call:
            return call[key]
    raise Unfit("a call that expects nothing: %r" % sorted(call))


def by_program(case, engine):
    got = engine.unit(case)
    if case["fn"] == "pid_rate_estimator":
        return rates(case["expect_rates"], got, case.get("tolerance_rel", 1e-9))
    for number, (call, have) in enumerate(zip(case["calls"], got), 1):
        want = wanted(call)
        if isinstance(want, dict) and isinstance(have, dict):
            have = {key: have.get(key) for key in want}
            same = all(canonical(have[key]) == canonical(want[key]) for key in want)
        else:
            same = canonical(have) == canonical(want)
        if not same:
            return Outcome("fail", "call %d: %s, not %s" % (number, have, want))
    return Outcome("pass")


def rates(want, got, tolerance):
    for number, (a, b) in enumerate(zip(want, got), 1):
        if (a is None) != (b is None) or (a is not None and abs(a - b) > tolerance * abs(a)):
            return Outcome("fail", "update %d: %s, not %s" % (number, b, a))
    return Outcome("pass" if len(want) == len(got) else "fail")


def join_watermarks(case, engine):
    """The join says what watermark is behind it; the bounds are those of the call."""
    calls = []
    for call in case["calls"]:
        args = call["args"]
        low, high = args["left_between_right_minus_ms"], args["and_right_plus_ms"]
        stream = {"plugin": "queue", "batches": [], "columns": "k string, t timestamp"}
        job = {"name": "case", "trigger": "asap", "sources": {"a": stream, "b": stream},
               "operators": {
                   "l": {"plugin": "watermark", "from": "a", "column": "t", "delay": "0s"},
                   "r": {"plugin": "watermark", "from": "b", "column": "t", "delay": "0s"},
                   "j": {"plugin": "join", "scope": "stream", "type": args.get("type", "inner"),
                         "from": {"l": "l", "r": "r"},
                         "columns": ["l.k", "l.t", "r.t as u"],
                         "on": "l.k = r.k and l.t between r.t - %s and r.t + %s"
                               % (interval(low), interval(high))}},
               "sinks": {"out": {"plugin": "null", "from": "j"}}}
        watermark = args["input_watermark_ms"] * 1000
        calls.append({"job": job, "operator": "j", "inputs_us": [watermark, watermark]})
    got = engine.unit({"fn": "output_watermark", "calls": calls})
    for number, (call, have) in enumerate(zip(case["calls"], got), 1):
        if have is None or have != call["expect"] * 1000:
            return Outcome("fail", "call %d: %s us, not %s ms" % (number, have, call["expect"]))
    return Outcome("pass")


# ---- jobs ----

def quiet_job(columns, operators, source="queue", **options):
    source = {"plugin": source} if source != "queue" else \
        {"plugin": "queue", "batches": [], "columns": columns}
    last = list(operators)[-1] if operators else "in"
    return {"name": "case", "trigger": "asap", "sources": {"in": dict(source, **options)},
            "operators": operators, "sinks": {"out": {"plugin": "null", "from": last}}}


def windows_scenario(call):
    args = call["args"]
    window = {"on": "t", "length": duration(args["length_ms"])}
    if args.get("slide_ms", args["length_ms"]) not in (None, args["length_ms"]):
        window["slide"] = duration(args["slide_ms"])
    if args.get("start_ms"):
        window["start"] = start_text(args["start_ms"])
    operators = {"w": {"plugin": "aggregate", "from": "in", "window": window,
                       "values": {"n": "count(*)"}, "output_mode": "update"}}
    return rows_scenario(quiet_job("t timestamp", operators), [[stamp(args["t_ms"])]])


def start_text(ms):
    return ("-" if ms < 0 else "") + duration(abs(ms))


def stamp(ms):
    return None if ms is None else timestamp(ms)


def rows_scenario(job, rows):
    return {"start": timestamp(0), "job": job,
            "steps": [{"rows": {"in": rows}}, {"expect": {}}]}


def millis(text):
    """A timestamp's text in ms, as the day count of the proleptic calendar has it."""
    date, time = text.rstrip("Z").split("T")
    year, month, day = (int(part) for part in date.rsplit("-", 2))
    hours, minutes, seconds = time.split(":")
    year -= month <= 2
    era = year // 400
    doy = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    doe = (year - era * 400) * 365 + (year - era * 400) // 4 - (year - era * 400) // 100 + doy
    days = era * 146097 + doe - 719468
    whole, _, part = seconds.partition(".")
    ms = ((days * 24 + int(hours)) * 60 + int(minutes)) * 60000 + int(whole) * 1000
    us = int((part + "000000")[:6]) if part else 0
    return ms + us // 1000 if us % 1000 == 0 else ms + us / 1000


def span(window):
    return [millis(window["start"]), millis(window["end"])]


def windows_judge(call, play):
    rows = [span(row[0]) for row in rows_of(play)]
    return differ(call["expect"], rows, call.get("order", "any"))


def rows_of(play):
    return [row for one in play["sinks"].get("out", []) for row in one["rows"]]


def session_scenario(call):
    args = call["args"]
    session = {"on": "t", "gap": "from_unix_millis(g) - from_unix_millis(0)"}
    operators = {"w": {"plugin": "aggregate", "from": "in", "by": ["k"], "session": session,
                       "values": {"n": "count(*)"}, "output_mode": "complete"}}
    job = quiet_job("k string, t timestamp, g int64", operators)
    return rows_scenario(job, [["k", stamp(args["t_ms"]), args["gap_ms"]]])


def session_judge(call, play):
    rows = [span(next(v for v in row if isinstance(v, dict))) for row in rows_of(play)]
    want = [] if call["expect"] is None else [call["expect"]]
    return differ(want, rows)


def sessions_scenario(call):
    """Rows [time, value, key] become [(key,) start, end, count, sum]."""
    args = call["args"]
    rows = args.get("rows") or args.get("input") or []
    keyed = any(len(row) > 2 and row[2] is not None for row in rows)
    by = ["k"] if keyed or args.get("key") else ["1 as k"]
    operators = {"w": {"plugin": "aggregate", "from": "in", "by": by,
                       "session": {"on": "t", "gap": duration(args["gap_ms"])},
                       "values": {"n": "count(*)", "s": "sum(v)"}, "output_mode": "complete"}}
    job = quiet_job("k string, t timestamp, v int64", operators)
    return rows_scenario(job, [[str(row[2]) if len(row) > 2 else "", stamp(row[0]), row[1]]
                               for row in rows])


def sessions_judge(call, play):
    out = []
    for key, window, n, total in rows_of(play):
        row = span(window) + [n, total]
        keyed = call["expect"] and len(call["expect"][0]) > 4
        out.append([key] + row if keyed else row)
    want = [[str(row[0])] + row[1:] if len(row) > 4 else row for row in call["expect"]]
    return differ(want, out, call.get("order", "any"))


def rate_batch_scenario(call):
    args = call["args"]
    job = quiet_job("", {}, source="rate", rows_per_batch=args["rows_per_batch"],
                    start=timestamp(args["start_ms"]), advance=duration(args["advance_ms"]))
    job["trigger"] = "1s"
    steps = [{"advance": "1s"}] * (args["batch"] + 2) + [{"expect": {}}]
    return {"start": timestamp(0), "real": ["in"], "job": job, "steps": steps}


def rate_batch_judge(call, play):
    with_rows = [one["rows"] for one in play["sinks"].get("out", []) if one["rows"]]
    number = call["args"]["batch"]
    if len(with_rows) <= number:
        return "there are %d batches only" % len(with_rows)
    return differ(call["expect"], [[millis(t), v] for t, v in with_rows[number]], "exact")


def rate_scenario(call):
    args = call["args"]
    options = {"rows_per_second": args["rows_per_second"]}
    if args.get("ramp_up_s"):
        options["ramp_up"] = "%ds" % args["ramp_up_s"]
    job = quiet_job("", {}, source="rate", **options)
    job["trigger"] = "1s"
    steps = [{"expect": {}}] + [{"advance": "1s"}] * (args["to_s"] + 1) + [{"expect": {}}]
    return {"start": timestamp(0), "real": ["in"], "job": job, "steps": steps}


def rate_judge(call, play):
    args = call["args"]
    rows = [[millis(t), v] for t, v in rows_of(play)
            if args["from_s"] * 1000 <= millis(t) < args["to_s"] * 1000]
    if "expect_count" in call and len(rows) != call["expect_count"]:
        return "%d rows" % len(rows)
    if "expect" in call:
        return differ(call["expect"], rows, "exact")
    first, last = call.get("expect_first", []), call.get("expect_last", [])
    return differ(first, rows[:len(first)], "exact") or \
        differ(last, rows[len(rows) - len(last):], "exact")


def validation_scenario(call):
    args = call["args"]
    operators = {"w": {"plugin": "window", "from": "in", "length": duration(args["length_ms"]),
                       "slide": duration(args["slide_ms"])}}
    job = quiet_job("x int64", operators)
    job["trigger"] = duration(args["batch_ms"])
    return rows_scenario(job, [[1]])


def validation_judge(call, play):
    state = "error" if play["state"] == "refused" else "ok"
    wrong = reasons.wrong_reason("window_length_slide", play.get("error"))
    if state == "error" and wrong:
        return wrong
    return None if state == call["expect"] else play.get("error") or "it is not refused"


JOBS = {
    "time_windows": (windows_scenario, windows_judge),
    "session_window_of_row": (session_scenario, session_judge),
    "session_windows": (sessions_scenario, sessions_judge),
    "rate_per_batch_rows": (rate_batch_scenario, rate_batch_judge),
    "rate_source_rows": (rate_scenario, rate_judge),
    "window_validation": (validation_scenario, validation_judge),
}


class Jobs:
    """A scenario per call."""

    def __init__(self, case, scenario, judge):
        self.case, self.judge_call = case, judge
        self.made = [dict(scenario(call), about=case["id"]) for call in case["calls"]]

    def scenarios(self):
        return self.made

    def judge(self, plays):
        for number, (call, play) in enumerate(zip(self.case["calls"], plays), 1):
            if call.get("expect") == "error" and self.judge_call is not validation_judge:
                wrong = reasons.wrong_reason("window_duration", play.get("error")) \
                    if play["state"] in ("refused", "failed") else "it is not refused"
                if wrong:
                    return Outcome("fail", "call %d: %s" % (number, wrong))
                continue
            if not play["passed"] and self.judge_call is not validation_judge:
                return Outcome("fail", "call %d: %s" % (number, play.get("why") or play["state"]))
            problem = self.judge_call(call, play)
            if problem:
                return Outcome("fail", "call %d: %s" % (number, problem))
        return Outcome("pass")
