"""Cases of incremental queries: a quiet job, and steps that follow those of the case."""
import copy
import re

from adapter import functions, reasons, states
from adapter.dstream import duration, timestamp
from adapter.expressions import (WINDOW, Scope, column_type, quoted, render, scope_of, sliding)
from adapter.outcome import Outcome, Skip, Unfit, differ

AGGREGATES = {"count": "count(%s)", "sum": "sum(%s)", "last": "last(%s)", "first": "first(%s)",
              "min": "min(%s)", "max": "max(%s)", "avg": "avg(%s)",
              "collect_set_size": "size(collect_set(%s))", "collect_list": "collect_list(%s)",
              "count_distinct": "count(distinct %s)"}
KINDS = {"count": "int64", "collect_set_size": "int64", "count_distinct": "int64",
         "avg": "float64"}
DEFAULT = {"type": "default"}
DAY_MS = 86400000


def truth(value):
    return str(value).lower() == "true"


def time_text(value):
    """A time as Spark writes it (`5 minutes`, `1ms`, or milliseconds) as a duration."""
    if not isinstance(value, str) or value.strip().isdigit():
        return duration(int(value))
    number, unit = re.match(r"\s*(\d+)\s*([a-z]+)\s*$", value.lower()).groups()
    short = next(one for one in ("ms", "us", "s", "m", "h", "d")
                 if unit == one or unit.startswith(LONG_UNITS[one]))
    return number + short


LONG_UNITS = {"ms": "milli", "us": "micro", "s": "sec", "m": "min", "h": "hour", "d": "day"}


def put(key, change=lambda value: value):
    """An option of the source."""
    def set_option(source, form, value):
        source[key] = change(value)
    return set_option


def format_put(key, change=lambda value: value):
    """An option of the format."""
    def set_option(source, form, value):
        form[key] = change(value)
    return set_option


def set_order(source, form, value):
    if truth(value):
        source["order"] = "newest"


def set_done(source, form, value):
    if value.lower() != "off":
        source["on_done"] = value.lower()


def no_matter(source, form, value):
    """Of the other engine's caches and threads."""


FILE_OPTIONS = {
    "maxFilesPerTrigger": put("max_files", int), "maxBytesPerTrigger": put("max_bytes", int),
    "latestFirst": set_order, "maxFileAge": put("max_age", time_text),
    "fileNameOnly": put("file_name_only", truth), "cleanSource": set_done,
    "sourceArchiveDir": put("archive_to"), "recursiveFileLookup": put("recursive", truth),
    "header": format_put("header", truth), "sep": format_put("delimiter"),
    "delimiter": format_put("delimiter"), "quote": format_put("quote"),
    "nullValue": format_put("null_value"), "lineSep": format_put("separator"),
    "multiLine": format_put("multi_line", truth), "maxCachedFiles": no_matter,
    "discardCachedInputRatio": no_matter, "basePath": no_matter,
    "spark.sql.streaming.fileSource.cleaner.numThreads": no_matter, "numThreads": no_matter,
}


class Stream:
    """An instance and its columns [(name, type)]."""

    def __init__(self, name, schema):
        self.name, self.schema = name, schema


class Query:
    """The job of a case."""

    def __init__(self, case):
        self.case = case
        self.config = case.get("config", {})
        self.mode = case.get("output_mode", "append")
        self.streams, self.now, self.counter = {}, "", 0
        self.stateful = []  # instances of stateful steps, upstream first
        self.failing = []   # operators that fail once
        self.real = []
        self.job = {"name": "case", "trigger": "asap", "output_mode": self.mode, "sources": {},
                    "operators": {}, "sinks": {}}
        if not self.config.get("no_data_batches", True):
            self.job["no_data_batches"] = False
        if "multiple_watermark_policy" in self.config:
            self.job["watermark_policy"] = self.config["multiple_watermark_policy"]
        for name, spec in case["inputs"].items():
            self.add_input(name, spec)
        self.last = next(iter(case["inputs"]))
        for number, step in enumerate(case["pipeline"]):
            self.now = step.get("as", "s%d" % number)
            self.add_step(step)
        self.add_sink()
        if "upstream" in case:
            self.add_upstream(case["upstream"])

    # ---- inputs and outputs ----

    def add_upstream(self, spec):
        """The query that writes a directory which is an input of the other, as a part of the job."""
        self.job["sources"]["upstream"] = {"plugin": "queue", "batches": [],
                                           "columns": "value string"}
        self.job["sinks"]["upstream_out"] = {"plugin": "file", "path": spec["writes_to"],
                                             "format": "text", "from": "upstream"}
        self.real.append("upstream_out")

    def add_input(self, name, spec):
        schema = [(column, column_type(kind)) for column, kind in spec["schema"]]
        if spec["type"] == "memory":
            text = ", ".join("%s %s" % (quoted(column), kind) for column, kind in schema)
            self.job["sources"][name] = {"plugin": "queue", "batches": [], "columns": text}
            partitions = self.config.get("partitions_of_input_" + name)
            if partitions:
                self.job["sources"][name]["partitions"] = partitions
        elif spec["type"] == "files":
            self.job["sources"][name] = self.file_source(spec)
            self.real.append(name)
        else:
            raise Unfit("an input of the type %r" % spec["type"])
        self.streams[name] = Stream(name, schema)

    def file_source(self, spec):
        options = dict(spec.get("options", {}))
        path = spec["dir"].rstrip("/")
        if "pathGlobFilter" in options:
            path += "/" + options.pop("pathGlobFilter")
        kind = {"json_lines": "json", "text_lines": "text"}.get(spec["format"], spec["format"])
        form = {"type": kind}
        source = {"plugin": "file", "path": path, "format": form}
        if kind != "text":
            source["columns"] = ", ".join("%s %s" % (quoted(name), column_type(given))
                                          for name, given in spec["schema"])
        for name, value in options.items():
            if name not in FILE_OPTIONS:
                raise Unfit("the option %r of a file source" % name)
            FILE_OPTIONS[name](source, form, value)
        if len(form) == 1:
            source["format"] = kind
        return source

    def add_sink(self):
        stream = self.streams[self.last]
        self.output = stream.schema
        sink = self.case.get("sink", {})
        if sink.get("type") == "files":
            made = {"plugin": "file", "path": "out", "format": "json"}
            if sink.get("partition_by"):
                made["partition_by"] = sink["partition_by"]
        elif sink.get("type") == "console":
            made = {"plugin": "console", "rows": sink.get("num_rows", 20)}
            if "truncate" in sink:
                made["truncate"] = {True: 20, False: 0}.get(sink["truncate"], sink["truncate"])
        else:
            made = {"plugin": "null"}
        if sink.get("fails"):
            made = {"plugin": "failing", "message": str(sink["fails"])}
            self.real.append("out")
        self.job["sinks"]["out"] = dict(made, **{"from": stream.name})

    def width(self):
        """How many values the rows have that are expected, if all say the same."""
        widths = set()
        for step in self.case["steps"]:
            for key in ("expect_new", "expect_all", "expect_table"):
                widths |= {len(row) for row in step.get(key, [])}
        return widths.pop() if len(widths) == 1 else None

    # ---- steps ----

    def add_step(self, step):
        make = getattr(self, "op_" + step["op"], None)
        if not make:
            raise Unfit("the step %r" % step["op"])
        given = step.get("from", self.last)
        inputs = [self.streams[name] for name in (given if isinstance(given, list) else [given])]
        self.streams[self.now] = make(step, *inputs)
        self.last = self.now

    def operator(self, **options):
        name = self.now
        while name in self.job["operators"] or name in self.job["sources"]:
            self.counter += 1
            name = "%s_%d" % (self.now, self.counter)
        if "source" in options:
            options["from"] = options.pop("source")
        if options["plugin"] in functions.CODE:
            options.setdefault("on_error", "fail")
        self.job["operators"][name] = options
        return name

    def op_select(self, step, x):
        scope = scope_of(x.schema)
        columns, schema, several = [], [], []
        for name, expr in step["cols"]:
            kind, text = sliding(expr, scope) or render(expr, scope)
            if kind.startswith("list<") and sliding(expr, scope):
                kind = WINDOW
                several.append(name)
            columns.append(text if text == quoted(name) else "%s as %s" % (text, quoted(name)))
            schema.append((name, kind))
        at = self.operator(plugin="select", source=x.name, columns=columns)
        for name in several:  # a row for each window that it is in
            at = self.operator(plugin="explode", source=at, column=name)
        return Stream(at, schema)

    def op_with_column(self, step, x):
        cols = [[name, {"col": name}] for name, _ in x.schema]
        name = step["name"]
        if sliding(step["expr"], scope_of(x.schema)):
            cols = [one for one in cols if one[0] != name] + [[name, step["expr"]]]
            return self.op_select({"cols": cols}, x)
        kind, text = render(step["expr"], scope_of(x.schema))
        at = self.operator(plugin="with_column", source=x.name, name=name, expr=text)
        schema = [(n, kind if n == name else k) for n, k in x.schema]
        if name not in [n for n, _ in x.schema]:
            schema.append((name, kind))
        return Stream(at, schema)

    def op_where(self, step, x):
        _, text = render(step["cond"], scope_of(x.schema))
        return Stream(self.operator(plugin="filter", source=x.name, where=text), x.schema)

    def op_map_rows(self, step, x):
        kind, text = render(step["expr"], scope_of(x.schema))
        at = self.operator(plugin="select", source=x.name, columns=["%s as value" % text])
        return Stream(at, [("value", kind)])

    def op_explode(self, step, x):
        kinds = dict(x.schema)
        column, into = step["col"], step["as_col"]
        at = x.name
        if kinds[column] == "string":
            at = self.operator(plugin="split", source=at, column=column, into=into, on=" ")
            kind = "string"
        else:
            at = self.operator(plugin="explode", source=at, column=column, into=into)
            kind = kinds[column][5:-1]
        schema = [(into if n == column else n, kind if n == column else k) for n, k in x.schema]
        return Stream(at, schema)

    def op_flat_map_self_and_next(self, step, x):
        name, kind = x.schema[0]
        at = self.operator(plugin="select", source=x.name,
                           columns=["array(%s, %s + 1) as value" % (quoted(name), quoted(name))])
        at = self.operator(plugin="explode", source=at, column="value")
        return Stream(at, [("value", "int64" if kind == "int32" else kind)])

    def op_fail_once_if(self, step, x):
        _, text = render(step["cond"], scope_of(x.schema))
        at = self.operator(plugin="filter", source=x.name, on_error="fail",
                           where="case when %s then 1 div 0 = 0 else true end" % text)
        self.failing.append(at)
        return Stream(at, x.schema)

    def op_union(self, step, *inputs):
        if "static" in step:
            raise Skip("a static side of a union is not part of a job")
        first = inputs[0]
        names = [first.name] + [self.like(first, one) for one in inputs[1:]]
        return Stream(self.operator(plugin="union", source=names), first.schema)

    def like(self, first, other):
        """`other` with the columns of `first`, by position; the instance."""
        if other.schema == first.schema:
            return other.name
        columns = []
        for (want, kind), (have, given) in zip(first.schema, other.schema):
            text = quoted(have)
            if kind != given and {kind, given} - {"int32", "int64", "float64"}:
                text = "cast(%s as %s)" % (text, kind)
            columns.append(text if text == quoted(want) else "%s as %s" % (text, quoted(want)))
        return self.operator(plugin="select", source=other.name, columns=columns)

    def op_with_watermark(self, step, x):
        at = self.operator(plugin="watermark", source=x.name, column=step["col"],
                           delay=delay_text(step["delay_ms"]))
        return Stream(at, x.schema)

    # ---- aggregation ----

    def op_group_by(self, step, x):
        scope = scope_of(x.schema)
        options, by, schema = {}, [], []
        for name, expr in step["keys"]:
            made = self.time_key(name, expr, scope)
            if made:
                options.update(made[0])
                schema.append((name, made[1], WINDOW))
                continue
            kind, text = render(expr, scope)
            by.append(text if text == quoted(name) else "%s as %s" % (text, quoted(name)))
            schema.append((name, name, kind))
        values = {}
        for name, fn, expr in step["aggs"]:
            if fn not in AGGREGATES:
                raise Unfit("the aggregate %r" % fn)
            kind, text = render(expr, scope) if expr is not None else ("int64", "*")
            values[name] = AGGREGATES[fn] % text
            schema.append((name, name, KINDS.get(fn, "int64" if kind == "int32" else kind)))
        if by:
            options["by"] = by
        at = self.operator(plugin="aggregate", source=x.name, values=values,
                           output_mode=self.mode, **options)
        self.stateful.append(at)
        return self.in_order(at, schema, by, options, values)

    def time_key(self, name, expr, scope):
        """Options for a window or session, and the name of its column; None for any other key."""
        if not isinstance(expr, list) or expr[0] not in ("window", "session_window"):
            return None
        _, on = render(expr[1], scope)
        if expr[0] == "session_window":
            gap = expr[2]
            text = render(gap, scope)[1] if isinstance(gap, dict) else duration(gap)
            return {"session": {"on": on, "gap": text}}, "session"
        window = {"on": on, "length": duration(expr[2])}
        if len(expr) > 3 and expr[3] != expr[2]:
            window["slide"] = duration(expr[3])
        if len(expr) > 4 and expr[4]:
            window["start"] = duration(expr[4])
        return {"window": window}, "window"

    def in_order(self, at, schema, by, options, values):
        """The columns in the order and with the names of the case."""
        made = [text.split(" as ")[-1].strip('"') for text in by]
        made += [name for name in ("window", "session") if name in options] + list(values)
        wanted = [(name, kind) for name, _, kind in schema]
        if made != [name for name, _ in wanted]:
            columns = [quoted(have) if have == name else "%s as %s" % (quoted(have), quoted(name))
                       for name, have, _ in schema]
            at = self.operator(plugin="select", source=at, columns=columns)
        return Stream(at, wanted)

    def op_drop_duplicates(self, step, x):
        options = {"by": step["cols"]} if step.get("cols") else {}
        at = self.operator(plugin="deduplicate", source=x.name, **options)
        self.stateful.append(at)
        return Stream(at, x.schema)

    def op_drop_duplicates_within_watermark(self, step, x):
        options = {"by": step["cols"]} if step.get("cols") else {}
        at = self.operator(plugin="deduplicate", source=x.name, within_watermark=True, **options)
        self.stateful.append(at)
        return Stream(at, x.schema)

    def op_order_by(self, step, x):
        by = quoted(step["col"]) + (" desc" if step.get("desc") else "")
        return Stream(self.operator(plugin="order", source=x.name, by=[by]), x.schema)

    def op_limit(self, step, x):
        options = {"n": step["n"]}
        if step.get("stateless") and self.mode != "complete":
            options["scope"] = "batch"
        return Stream(self.operator(plugin="limit", source=x.name, **options), x.schema)

    # ---- joins ----

    def op_join(self, step, *inputs):
        if "static" in step:
            return self.static_join(step, inputs[0])
        left, right = inputs
        sides = {name: (kind, "l." + quoted(name)) for name, kind in left.schema}
        for name, kind in right.schema:
            sides.setdefault(name, (kind, "r." + quoted(name)))
        options = {"source": {"l": left.name, "r": right.name}, "type": step["type"]}
        options["on"] = " and ".join(self.conditions(step, scope_of(left.schema, "l."),
                                                     scope_of(right.schema, "r."), Scope(sides)))
        schema = list(left.schema)
        if step["type"] not in ("left_semi", "left_anti"):
            taken = {name for name, _ in left.schema}
            renamed = [(name + "_r" if name in taken else name, kind)
                       for name, kind in right.schema]
            if [name for name, _ in renamed] != [name for name, _ in right.schema]:
                options["columns"] = ["l." + quoted(name) for name, _ in left.schema] + \
                    ["r.%s as %s" % (quoted(have), quoted(name))
                     for (have, _), (name, _) in zip(right.schema, renamed)]
            schema += renamed
        at = self.operator(plugin="join", scope="stream", **options)
        self.stateful.append(at)
        return Stream(at, schema)

    def conditions(self, step, left, right, both):
        safe = step.get("null_safe") or []
        out = []
        for number, (a, b) in enumerate(step["on"]):
            out.append("%s %s %s" % (render(a, left)[1], "<=>" if number in safe else "=",
                                     render(b, right)[1]))
        for key, scope in (("condition", both), ("left_condition", left),
                           ("right_condition", right)):
            if step.get(key) is not None:
                out.append(render(step[key], scope)[1])
        return out

    def static_join(self, step, x):
        """A lookup. The stream is its left side: a type that keeps rows of the right one, or of
        the static side of a stream on the right, has no name there and is refused."""
        static = step["static"]
        kinds = [next((kind_of_cell(row[i]) for row in static["rows"] if row[i] is not None),
                      "int64") for i in range(len(static["columns"]))]
        text = ", ".join("%s %s" % (quoted(name), kind)
                         for name, kind in zip(static["columns"], kinds))
        table = {"rows": static["rows"], "columns": text}
        on_left = step.get("stream_side", "left") == "left"
        kind = step["type"]
        if not on_left:
            kind = {"right_outer": "left_outer", "left_outer": "right_outer",
                    "left_semi": "right_semi", "left_anti": "right_anti"}.get(kind, kind)
        table_columns = list(zip(static["columns"], kinds))
        scope = {name: (k, quoted(name)) for name, k in x.schema}
        of_table = {name: (k, "table." + quoted(name)) for name, k in table_columns}
        both = dict(of_table, **scope)
        on = []
        for number, (a, b) in enumerate(step["on"]):
            stream_side, table_side = (a, b) if on_left else (b, a)
            if not named_in(stream_side, set(scope)):
                stream_side, table_side = table_side, stream_side
            on.append("%s %s %s" % (self.side(stream_side, scope), "<=>" if number in
                                    (step.get("null_safe") or []) else "=",
                                    self.side(table_side, of_table)))
        sides = (scope, of_table) if on_left else (of_table, scope)
        for key, columns in (("condition", both), ("left_condition", sides[0]),
                             ("right_condition", sides[1])):
            if step.get(key) is not None:
                on.append(self.side(step[key], columns))
        taken, renamed = set(scope), []
        for name, given in table_columns:
            renamed.append((name + "_r" if name in taken else name, given))
        options = {}
        if [name for name, _ in renamed] != static["columns"] and \
                kind not in ("left_semi", "left_anti"):
            options["columns"] = [quoted(name) for name, _ in x.schema] + \
                ["table.%s as %s" % (quoted(have), quoted(name))
                 for (have, _), (name, _) in zip(table_columns, renamed)]
        at = self.operator(plugin="lookup", source=x.name, table=table, type=kind,
                           on=" and ".join(on), **options)
        schema = list(x.schema)
        if kind not in ("left_semi", "left_anti"):
            other = renamed
            if on_left:
                return Stream(at, schema + other)
            at = self.operator(plugin="select", source=at,
                               columns=[quoted(n) for n, _ in other + schema])
            return Stream(at, other + schema)
        return Stream(at, schema)

    def side(self, expr, scope):
        return render(expr, Scope(scope))[1]

    # ---- state ----

    def op_group_state(self, step, x):
        fn = states.find(states.GROUP_STATES, step["fn"])
        return self.state_operator("group_state", "grouped", fn, step, x,
                                   timeout=step.get("timeout", "none"),
                                   output_mode="update" if step.get("form") == "map"
                                   else step.get("function_mode", self.mode))

    def op_transform_with_state(self, step, x):
        fn = states.find(states.TRANSFORMS, step["fn"])
        out = self.state_operator("stateful", "stateful", fn, step, x,
                                  timeout=step.get("time_mode", "none"), output_mode=self.mode)
        if not fn.narrow or self.width() != 2:
            return out
        at = self.operator(plugin="select", source=out.name, columns=fn.narrow)
        return Stream(at, [out.schema[0], ("value", "int64")])

    def state_operator(self, plugin, function, fn, step, x, **options):
        key = step["key"]
        kind = dict(x.schema)[key]
        schema = [("key", kind)] + list(fn.extra)
        time = next((n for n, k in x.schema if k == "timestamp"), "eventTime")
        text = fn.text.replace("KEYCOL = KEY", "key = key").replace("KEYCOL", key)
        text = text.replace("KEY", "key").replace("TIMECOL", time)
        if step.get("initial") is not None:
            options["initial"] = {"columns": "%s %s, %s" % (key, kind, fn.state),
                                  "rows": step["initial"]}
        if options.get("timeout") == "none":
            del options["timeout"]
        at = self.operator(plugin=plugin, source=x.name, by=[key], state=fn.state,
                           lua={"source": text, "function": function},
                           columns=", ".join("%s %s" % column for column in schema), **options)
        self.stateful.append(at)
        return Stream(at, schema)


def delay_text(ms):
    return duration(ms) if ms else "0s"


def kind_of_cell(value):
    return {bool: "bool", int: "int64", float: "float64"}.get(type(value), "string")


def named_in(expr, names):
    """Whether an expression names one of these columns."""
    if isinstance(expr, dict):
        return expr.get("col") in names
    return isinstance(expr, list) and any(named_in(part, names) for part in expr)


def start_of(case):
    """The clock begins at 0; behind the times of all files where there are some."""
    times = [file.get("mtime_ms", 0) for step in case["steps"]
             for file in step.get("write_files", [])]
    return (max(times) // DAY_MS + 1) * DAY_MS if times else 0


def player(case, engine):
    """The player for a case."""
    if any(key.startswith("expect_stdout") for key in case):
        from adapter.printed import Printed
        return Printed(case, engine)
    return Steps(case)


class Check:
    """What is looked at, at a step of the scenario."""

    def __init__(self, step, what, value, details):
        self.step, self.what, self.value, self.details = step, what, value, details


class Steps:
    """The steps of a case as those of a scenario, and what is to be seen at each."""

    def __init__(self, case):
        self.case = case
        self.query = Query(case)
        self.crashes = []   # (batch, step that ran it) of the batches that crashes leave uncommitted
        self.pieces = []    # (play, checks, step from which rows count) up to each of these crashes
        self.build()

    # ---- from case to scenario ----

    def build(self):
        self.steps, self.checks = [], []
        self.job = copy.deepcopy(self.query.job)
        self.trigger = self.case.get("trigger", DEFAULT)
        self.set_trigger(self.job, self.trigger)
        self.initial = copy.deepcopy(self.job)
        self.running, self.started, self.stopped, self.failed = False, False, False, False
        self.waiting = []        # rows that come when the clock has moved
        self.crash_at = None     # the first crash of which the batch is not known yet
        self.n_crashes = 0
        self.mark, self.n_old_checks = -1, 0
        steps = self.case["steps"]
        for number, step in enumerate(steps):
            self.upcoming = steps[number + 1:]
            self.add(step)
        if "expect_sink_calls" in self.case:
            self.look("expect_sink_calls", self.case["expect_sink_calls"])
        self.steps.append({"expect": {}})
        self.scenario = {"about": self.case["id"], "start": timestamp(start_of(self.case)),
                         "job": self.initial, "steps": self.steps}
        if self.query.real:
            self.scenario["real"] = self.query.real

    def set_trigger(self, job, trigger):
        kind = (trigger or DEFAULT)["type"]
        if kind == "processing_time":
            job["trigger"] = duration(trigger["ms"]) if trigger.get("ms") else "asap"
        elif kind in ("once", "available_now"):
            job["trigger"] = kind
        elif kind == "default":
            job["trigger"] = "asap"
        else:
            raise Unfit("the trigger %r" % kind)

    def look(self, what, value, details=None):
        """Lets all that can run do so, and notes what to look at then."""
        self.start_if_needed()
        self.steps.append({"expect": {}})
        self.checks.append(Check(len(self.steps) - 1, what, value, details or {}))

    def start_if_needed(self):
        if self.running:
            return
        if self.started:
            self.steps.append({"restart": {}})
        self.running = self.started = True

    def add(self, step):
        known = [key for key in step if hasattr(self, "step_" + key)]
        advisory = {"state_rows", "late_dropped", "duplicates_dropped", "data_batches"}
        if not known and not set(step) <= advisory:
            raise Unfit("the step %r" % sorted(step))
        for key in known:
            getattr(self, "step_" + key)(step[key], step)
        for key in sorted(set(step) & advisory - {"data_batches"}):
            self.checks.append(Check(max(len(self.steps) - 1, 0), key, step[key], {}))

    def step_add(self, rows, step):
        self.steps.append({"rows": {name: [self.cells(name, row) for row in given]
                                    for name, given in rows.items()}})

    def cells(self, name, row):
        """A row as the engine reads it: a timestamp may be a number of milliseconds."""
        row = row if isinstance(row, list) else [row]
        return [timestamp(value) if kind == "timestamp" and isinstance(value, int) and
                not isinstance(value, bool) else value
                for value, (_, kind) in zip(row, self.query.streams[name].schema)]

    def step_write_files(self, files, step):
        """Into the folder of the first input of files, or of the one that is named."""
        specs = self.case["inputs"]
        by_name = files if isinstance(files, dict) else \
            {step.get("input") or next(name for name, spec in specs.items()
                                       if spec["type"] == "files"): files}
        for name, given in by_name.items():
            folder = step.get("dir", specs[name]["dir"]).rstrip("/")
            self.steps.append({"files": {
                "%s/%s" % (folder, file["name"]): {"text": file.get("text", ""),
                                                   "mtime": timestamp(file.get("mtime_ms", 0))}
                for file in given}})
        if self.running and (self.trigger or DEFAULT)["type"] == "default":
            self.steps.append({"advance": "2s"})  # a source looks for files once a second

    def step_run(self, value, step):
        self.look("run", value)

    def step_start(self, value, step):
        value = value or {}
        job = copy.deepcopy(self.job)
        if self.failed:
            self.mend(job)
        self.trigger = value.get("trigger") or DEFAULT if value else self.trigger
        self.set_trigger(job, self.trigger)
        for key, number in (value.get("conf") or {}).items():
            if key.startswith("partitions_of_input_"):
                job["sources"][key[len("partitions_of_input_"):]]["partitions"] = number
            elif key == "no_data_batches":
                job["no_data_batches"] = number
            elif key == "multiple_watermark_policy":
                job["watermark_policy"] = number
        if not self.started:
            self.initial = copy.deepcopy(job)
        else:
            self.steps.append({"restart": {"job": job} if job != self.job else {}})
        self.job = job
        self.running = self.started = True
        self.failed = False
        self.steps.append({"expect": {}})

    def mend(self, job):
        """What failed once does not fail again."""
        for name in self.query.failing:
            if name in job["operators"]:
                job["operators"][name]["where"] = "true"

    def step_stop(self, value, step):
        if self.running:
            self.steps.append({"stop": True})
        self.running = False

    def step_crash(self, value, step):
        """In one round the place is only noted; in the next the kill stands where the batch would have run, with
        nothing between."""
        number = self.n_crashes
        self.n_crashes += 1
        if number >= len(self.crashes):
            if self.crash_at is None:
                self.crash_at = max(len(self.steps), 1)
            return
        batch, ran = self.crashes[number]
        point = "before" if "cleared" in str(value) else "after"
        del self.steps[ran:]
        at = len(self.steps)
        while at > 0 and set(self.steps[at - 1]) & {"rows", "files", "advance"}:
            at -= 1  # what comes in is worked on at once
        self.steps.insert(at, {"crash": "%s commit %d" % (point, batch)})
        self.steps.append({"restart": {}})
        self.n_old_checks = len(self.checks)
        self.mark = len(self.steps) - 1
        self.running = self.started = True

    def step_advance_clock_ms(self, ms, step):
        if not self.running:
            self.start_if_needed()
            self.steps.append({"expect": {}})
        self.steps.append({"advance": duration(ms), "jump": True})

    def step_expect_error(self, category, step):
        if self.upcoming and any("start" in one for one in self.upcoming):
            self.start_if_needed()
            self.checks.append(Check(len(self.steps), "expect_error", category, step))
            self.steps.append({"error": {"at": "run"}})
            self.running, self.failed = False, True
        else:
            self.look("expect_error", category, step)

    def step_expect_start(self, value, step):
        self.look("expect_start", value)

    def step_upstream_batch(self, rows, step):
        """A batch of the query that writes what this one reads, and time to see it."""
        self.start_if_needed()
        self.steps.append({"rows": {"upstream": [row if isinstance(row, list) else [row]
                                                 for row in rows]}})
        self.steps.append({"advance": "5s"})

    # ---- rounds ----

    def scenarios(self):
        return [self.scenario]

    def judge(self, plays):
        if self.crash_at is not None:
            return self.note_crash(plays[0])
        return Judge(self, plays[0]).outcome()

    def note_crash(self, play):
        """The last batch before the crash and the step that ran it; then another round."""
        before = [b for b in play["batches"] if b["step"] < self.crash_at]
        if not before:
            return Outcome("fail", "no batch ran before the crash: %s"
                           % (play.get("why") or play["state"]))
        self.pieces.append((play, [check for check in self.checks[self.n_old_checks:]
                                   if check.step < self.crash_at], self.mark))
        self.crashes.append((before[-1]["batch"], before[-1]["step"]))
        self.build()
        return None


EXPECTS = ("expect_new", "expect_all", "expect_table", "expect_new_any_of", "expect_watermark_ms",
           "expect_event_time", "expect_batches", "expect_batches_since")


def add_expectations():
    """A step for each of them: a look."""
    for name in EXPECTS:
        def step(self, value, whole, name=name):
            self.look(name, value, whole)
        setattr(Steps, "step_" + name, step)


add_expectations()


class Judge:
    """Holds a play against the checks."""

    def __init__(self, steps, play):
        self.steps, self.play = steps, play
        self.query, self.case = steps.query, steps.case
        self.seen = -1      # the step up to which rows were looked at
        self.advisory, self.met = [], 0
        self.names = [name for name, _ in self.query.output]

    def outcome(self):
        for play, checks, mark in self.steps.pieces:
            early = Judge(self.steps, play)
            early.seen = mark
            problem = early.all(checks)
            if problem:
                return Outcome("fail", problem)
        self.seen = self.steps.mark
        problem = self.all(self.steps.checks[self.steps.n_old_checks:])
        return Outcome("fail" if problem else "pass", problem or "", self.advisory, self.met)

    def all(self, checks):
        play = self.play
        error = next((check for check in checks if check.what == "expect_error"), None)
        if error:
            problem = self.not_meant(error)
            if problem:
                return problem
            if play["state"] == "refused":
                return None
            # what comes behind the error belongs to the run that is begun then
            checks = [check for check in checks if check is not error]
        elif not play["passed"]:
            return play.get("why") or play.get("error") or play["state"]
        for check in checks:
            problem = getattr(self, "check_" + check.what)(check.value, check)
            if problem:
                return "%s: %s" % (check.what, problem)
        return None

    def not_meant(self, check):
        """None where the run failed as it should, and not later than it should."""
        play = self.play
        if play["state"] == "ended" and play["passed"] and check is not self.steps.checks[-1]:
            return None  # the error step saw it, and the job went on
        if play["state"] not in ("refused", "failed"):
            return "there is no error (%s)" % check.value
        wrong = reasons.wrong_reason(check.value, play.get("error"))
        if wrong:
            return wrong
        if play["state"] == "failed":
            if play["step"] > check.step:
                return "it fails only later: %s" % play.get("error")
            if check.details.get("when") in ("build", "start") and play["batches"]:
                return "batches ran before the error"
        return None

    # ---- what came ----

    def emissions(self, until, since=-1):
        return [one for one in self.play["sinks"].get("out", []) if since < one["step"] <= until]

    def rows(self, until, since=-1):
        return [self.row(row) for one in self.emissions(until, since) for row in one["rows"]]

    def row(self, row):
        """A row as the case writes it: only the columns that count, windows as pairs."""
        columns = self.case.get("output_columns")
        if columns:
            row = [row[self.names.index(name)] for name in columns]
        return [list(value.values()) if isinstance(value, dict) else value for value in row]

    def batches(self, until):
        return [batch for batch in self.play["batches"] if batch["step"] <= until]

    # ---- checks ----

    def check_run(self, value, check):
        return None

    def check_expect_start(self, value, check):
        return None

    def check_expect_new(self, rows, check):
        if self.query.mode == "complete":
            return self.check_expect_table(rows, check)
        got = self.rows(check.step, self.seen)
        self.seen = check.step
        return differ(rows, got, check.details.get("order", "any"))

    def check_expect_new_any_of(self, choices, check):
        got = self.rows(check.step, self.seen)
        self.seen = check.step
        problems = [differ(rows, got, check.details.get("order", "any")) for rows in choices]
        return None if None in problems else problems[-1]

    def check_expect_all(self, rows, check):
        if self.query.mode == "complete":
            return self.check_expect_table(rows, check)
        self.seen = check.step
        problem = differ(rows, self.rows(check.step), check.details.get("order", "any"))
        if not problem and "data_batches" in check.details:
            problem = self.data_batches(check)
        return problem

    def data_batches(self, check):
        """Batches with rows in the run that ended at this check."""
        begin = max([s for s, step in enumerate(self.steps.steps[:check.step])
                     if "restart" in step], default=-1)
        n = len([one for one in self.emissions(check.step, begin) if one["rows"]])
        return None if n == check.details["data_batches"] else "%d batches with rows" % n

    def check_expect_table(self, rows, check):
        all_of = self.emissions(check.step)
        got = [self.row(row) for row in all_of[-1]["rows"]] if all_of else []
        if self.query.mode != "complete":
            got = self.rows(check.step)
        self.seen = check.step
        return differ(rows, got, check.details.get("order", "any"))

    def check_expect_batches_since(self, batches, check):
        got = [[self.row(row) for row in one["rows"]]
               for one in self.emissions(check.step, self.seen) if one["rows"]]
        self.seen = check.step
        want = [[row if isinstance(row, list) else [row] for row in rows] for rows in batches]
        if len(got) != len(want):
            return "%d batches, not %d: %s" % (len(got), len(want), got)
        return next(filter(None, (differ(a, b) for a, b in zip(want, got))), None)

    def check_expect_watermark_ms(self, ms, check):
        batches = self.batches(check.step)
        us = batches[-1]["next_watermark_us"] if batches else 0
        return None if (us or 0) == ms * 1000 else "it is %s ms" % ((us or 0) / 1000)

    def check_expect_batches(self, n, check):
        got = len({batch["batch"] for batch in self.batches(check.step)})
        return None if got == n else "%d batches" % got

    def check_expect_event_time(self, times, check):
        batches = [b for b in self.batches(check.step) if b.get("event_time")]
        if not batches:
            return "no batch tells event times"
        last = batches[-1]
        have = {"watermark_ms": (last["watermark_us"] or 0) / 1000}
        for key, us in last["event_time"].items():
            have[key.replace("_us", "") + "_ms"] = us / 1000
        wrong = ["%s is %s, not %s" % (key, have.get(key), ms) for key, ms in times.items()
                 if have.get(key) is None or abs(have[key] - ms) > 0.5]
        return "; ".join(wrong) or None

    def check_expect_sink_calls(self, calls, check):
        got = [one for one in self.emissions(check.step) if one["rows"] or len(calls) > 0]
        if [one["batch"] for one in got] != [call["batch_id"] for call in calls]:
            return "batches %s" % [one["batch"] for one in got]
        return next(filter(None, (differ(call["rows"], [self.row(row) for row in one["rows"]])
                                  for call, one in zip(calls, got))), None)

    # ---- advisory ----

    def advise(self, what, want, got):
        if list(want) == got:
            self.met += 1
        else:
            self.advisory.append("%s: %s, not %s" % (what, got, want))

    def check_state_rows(self, want, check):
        batches = self.batches(check.step)
        if batches:
            self.advise("state_rows", want, [self.counter(batches[-1], name, "rows")
                                             for name in self.query.stateful])

    def with_data(self, check, what, want, counter):
        batches = [b for b in self.batches(check.step) if b.get("rows_in", 1)]
        if batches:
            self.advise(what, want, [self.counter(batches[-1], name, counter)
                                     for name in self.query.stateful])

    def counter(self, batch, name, what):
        counters = batch.get("counters", {}).get(name, {})
        return counters.get(what, batch.get("rows", {}).get(name, 0) if what == "rows" else 0)

    def check_late_dropped(self, want, check):
        self.with_data(check, "late_dropped", want, "late")

    def check_duplicates_dropped(self, want, check):
        self.with_data(check, "duplicates_dropped", want, "duplicates")
