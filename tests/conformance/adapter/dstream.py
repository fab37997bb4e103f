"""Cases of the batch-by-batch engine: a job with a tick in every batch, and rows before each tick."""
import base64

from adapter import functions, reasons
from adapter.outcome import Outcome, Unfit, canonical, differ
from adapter.values import (Leaf, Pair, ddl, flatten, named, same_names, select_list,
                            tree_of, unflatten)



def duration(ms):
    return "%dms" % ms


def timestamp(ms):
    """Milliseconds since the epoch as a timestamp."""
    days, rest = divmod(ms, 86400000)
    year, month, day = civil(days)
    hours, rest = divmod(rest, 3600000)
    minutes, rest = divmod(rest, 60000)
    return "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ" % (year, month, day, hours, minutes,
                                                    rest // 1000, rest % 1000)


def civil(days):
    """Year, month, day of a number of days since 1970-01-01 (Hinnant's algorithm)."""
    days += 719468
    era, doe = divmod(days, 146097)
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    return yoe + era * 400 + (month <= 2), month, doy - (153 * mp + 2) // 5 + 1


class Stream:
    """What a step gives: the instance (or its output) and the tree over its columns."""

    def __init__(self, name, tree, slide=1):
        self.name, self.tree, self.slide = name, tree, slide


class Builder:
    """The job of a case."""

    def __init__(self, case):
        self.case = case
        self.batch_ms = case["batch_ms"]
        self.streams = {}
        self.job = {"name": "case", "trigger": duration(self.batch_ms), "sources": {},
                    "operators": {}, "sinks": {}}
        self.real = []
        self.counter = 0
        self.outputs = []   # steps that only put out
        self.failing = {}   # of these, the ones that fail, by sink, with what they say
        self.add_inputs()
        self.last = next(iter(case["inputs"]))
        for number, step in enumerate(case["pipeline"]):
            self.add_step(number, step)
        # a beat in every batch, also where all that the case has is quiet
        self.job["sources"]["beat_in"] = {"plugin": "queue", "batches": [], "columns": "x int64"}
        self.job["operators"]["beat"] = {"plugin": "count", "from": "beat_in"}
        self.job["sinks"]["beat_out"] = {"plugin": "null", "from": "beat"}

    # ---- inputs ----

    def add_inputs(self):
        for name, spec in self.case["inputs"].items():
            kind = spec.get("type", "batches")
            make = getattr(self, "input_" + kind, None)
            if not make:
                raise Unfit("an input of the type %r" % kind)
            self.job["sources"][name], tree = make(name, spec)
            self.streams[name] = Stream(name, tree)

    def queue_source(self, rows, partitions):
        tree = named(tree_of(rows))
        source = {"plugin": "queue", "batches": [], "columns": ddl(tree)}
        if partitions != 1:
            source["partitions"] = partitions
        return source, tree

    def input_batches(self, name, spec):
        rows = rows_of(spec)
        if not rows:  # what it would be is told by the others
            rows = [row for other in self.case["inputs"].values() for row in rows_of(other)]
        return self.queue_source(rows, spec.get("partitions", 1))

    def input_queue(self, name, spec):
        sets = [s for at in spec.get("enqueue", {}).values() for s in at]
        rows = [row for one in sets for row in one] + list(spec.get("default") or [])
        source, tree = self.queue_source(rows, spec.get("partitions", 1))
        early = all(key == "1" for key in spec.get("enqueue", {})) or never_dry(spec)
        if early:
            ordered = sorted(spec.get("enqueue", {}).items(), key=lambda item: int(item[0]))
            source["batches"] = [[flatten(tree, row) for row in one]
                                 for _, at in ordered for one in at]
            source["one_at_a_time"] = spec.get("one_at_a_time", True)
            if spec.get("default") is not None:
                source["default"] = [flatten(tree, row) for row in spec["default"]]
            self.real.append(name)
        return source, tree

    def input_files(self, name, spec):
        source = {"plugin": "file", "path": spec["dir"].rstrip("/")}
        if spec.get("new_files_only", True):
            source["new_only"] = True
        self.real.append(name)
        if spec["format"] == "text_lines":
            source["format"] = "text"
            return source, Leaf("string", "value")
        if spec["format"] == "fixed_binary":
            source["format"] = {"type": "raw", "record_length": spec["record_length"]}
            return source, Leaf("binary", "value")
        raise Unfit("the format %r" % spec["format"])

    def input_socket_text(self, name, spec):
        return {"plugin": "queue", "batches": [], "columns": "value string"}, \
            Leaf("string", "value")

    def input_receiver_push(self, name, spec):
        return {"plugin": "queue", "batches": [], "columns": "value int64",
                "partitions": spec.get("threads", 1)}, Leaf("int64", "value")

    # ---- steps ----

    def add_step(self, number, step):
        name = step.get("as", "s%d" % number)
        make = getattr(self, "op_" + step["op"], None)
        if not make:
            raise Unfit("the step %r" % step["op"])
        given = step.get("from", self.last)
        inputs = [self.streams[one] for one in (given if isinstance(given, list) else [given])]
        self.now = name
        self.streams[name] = make(step, *inputs)
        self.last = name

    def operator(self, **options):
        """Adds an operator for the step under way; its name."""
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

    def select(self, stream, tree):
        """A stream with the columns that the tree has, under the usual names."""
        each = [leaf for leaf in tree.leaves() if getattr(leaf, "each", False)]
        names = named(tree)
        if not each and same_names(tree, names) and tree_is(stream.tree, tree):
            return Stream(stream.name, names, stream.slide)
        at = self.operator(plugin="select", source=stream.name, columns=select_list(tree, names))
        if each:
            column = next(name.expr for leaf, name in zip(tree.leaves(), names.leaves())
                          if leaf is each[0])
            at = self.operator(plugin="explode", source=at, column=column)
        return Stream(at, names, stream.slide)

    def usual(self, stream):
        return self.select(stream, stream.tree)

    def pairs(self, stream):
        """A stream of pairs under the usual names. An input without any rows can be that, too."""
        if isinstance(stream.tree, Leaf):
            side = Leaf(stream.tree.kind, stream.tree.expr)
            stream = Stream(stream.name, Pair(side, side), stream.slide)
        return self.usual(stream)

    def op_map(self, step, x):
        fn, parameters = functions.find(functions.MAPS, step["fn"], "map")
        return self.select(x, fn(x.tree, parameters))

    def op_flat_map(self, step, x):
        fn, parameters = functions.find(functions.FLATS, step["fn"], "flat_map")
        return self.select(x, fn(x.tree, parameters))

    def op_map_values(self, step, x):
        fn, parameters = functions.find(functions.MAPS, step["fn"], "map")
        return self.select(x, Pair(x.tree.left, fn(x.tree.right, parameters)))

    def op_flat_map_values(self, step, x):
        fn, parameters = functions.find(functions.FLATS, step["fn"], "flat_map")
        return self.select(x, Pair(x.tree.left, fn(x.tree.right, parameters)))

    def op_filter(self, step, x):
        fn, parameters = functions.find(functions.PREDICATES, step["fn"], "filter")
        at = self.operator(plugin="filter", source=x.name, where=fn(x.tree, parameters))
        return Stream(at, x.tree, x.slide)

    def op_glom(self, step, x):
        at = self.operator(plugin="glom", source=self.usual(x).name)
        return Stream(at, Leaf("list", "rows", named(x.tree)), x.slide)

    def op_map_partitions(self, step, x):
        name, _ = functions.spec_of(step["fn"])
        if name == "swap_each":
            return self.select(x, Pair(x.tree.right, x.tree.left))
        fn, _ = functions.find(functions.PARTITIONS, step["fn"], "map_partitions")
        x = self.usual(x)
        tree, text = fn(x.tree)
        at = self.operator(plugin="lua", source=x.name, mode="map_partitions",
                           function="partition", columns=ddl(tree), lua_text=text)
        return Stream(at, tree, x.slide)

    def op_repartition(self, step, x):
        at = self.operator(plugin="repartition", source=x.name, partitions=step["partitions"])
        return Stream(at, x.tree, x.slide)

    # ---- within the batch, or over windows ----

    def over(self, step, x):
        """Options of a window; the slide of what comes out."""
        if "length_ms" not in step:
            return {}, x.slide
        options = {"length": duration(step["length_ms"])}
        slide = step.get("slide_ms", x.slide * self.batch_ms)
        options["slide"] = duration(slide)
        return options, max(1, slide // self.batch_ms)

    def op_count(self, step, x):
        options, slide = self.over(step, x)
        plugin = "count_by_window" if options else "count"
        return Stream(self.operator(plugin=plugin, source=x.name, **options),
                      Leaf("int64", "count"), slide)

    op_count_by_window = op_count

    def reduced(self, step, x):
        """The aggregate of a reduce function; text is put together from the list of its pieces."""
        fn, _ = functions.find(functions.REDUCES, step["fn"], "reduce")
        if isinstance(x, Pair):
            raise Unfit("reduce of pairs")
        return fn(x)

    def joins_text(self, step, x):
        """Whether the sum is one of texts, which is their concatenation."""
        return isinstance(x, Leaf) and x.kind == "string" and \
            functions.spec_of(step["fn"])[0] == "sum"

    def joined_text(self, x, by, columns, options):
        """Lists by key (or of all rows), and each as one text. The list is the column `values`."""
        plugin = "group_by_key_and_window" if "length" in options else "group_by_key"
        keys = [one.split(" as ")[-1] for one in by]
        at = self.operator(plugin=plugin, source=x.name, by=by or ["1 as one"], **options)
        text = "function joined(row, ctx)\n  return {%s = table.concat(row.values)%s}\nend\n" \
            % (columns.leaves()[-1].expr, "".join(", %s = row.%s" % (key, key) for key in keys))
        return self.operator(plugin="lua", source=at, mode="map", function="joined",
                             columns=ddl(columns), lua_text=text)

    def op_reduce(self, step, x):
        options, slide = self.over(step, x)
        x = self.usual(x)
        if self.joins_text(step, x.tree):
            value = Leaf("string", "value")
            return Stream(self.joined_text(x, [], value, options), value, slide)
        if step.get("inverse"):
            options["inverse"] = True
        plugin = "reduce_by_window" if "length" in options else "reduce"
        at = self.operator(plugin=plugin, source=x.name,
                           values={"value": self.reduced(step, x.tree)}, **options)
        return Stream(at, Leaf(x.tree.kind, "value"), slide)

    op_reduce_by_window = op_reduce

    def op_count_by_value(self, step, x):
        options, slide = self.over(step, x)
        x = self.usual(x)
        counts = Leaf("int64", "count")
        if isinstance(x.tree, Pair):  # a value of several columns
            plugin = "reduce_by_key_and_window" if options else "reduce_by_key"
            at = self.operator(plugin=plugin, source=x.name, values={"count": "count(*)"},
                               by=[leaf.expr for leaf in x.tree.leaves()], **options)
            return Stream(at, Pair(x.tree, counts), slide)
        plugin = "count_by_value_and_window" if options else "count_by_value"
        at = self.operator(plugin=plugin, source=x.name, column="value", **options)
        return Stream(at, Pair(Leaf(x.tree.kind, "value"), counts), slide)

    op_count_by_value_and_window = op_count_by_value

    def keys(self, x):
        """`by` of a stream of pairs, under the usual names, and the tree."""
        names = named(x.tree)
        return ["%s as %s" % (a.expr, b.expr) if a.expr != b.expr else a.expr
                for a, b in zip(x.tree.left.leaves(), names.left.leaves())], names

    def op_reduce_by_key(self, step, x):
        options, slide = self.over(step, x)
        x = self.pairs(x)
        by, names = self.keys(x)
        if self.joins_text(step, x.tree.right):
            tree = Pair(names.left, Leaf("string", "v"))
            return Stream(self.joined_text(x, by, tree, options), tree, slide)
        if step.get("inverse"):
            options["inverse"] = True
        if step.get("filter"):
            keep, parameters = functions.find(functions.PREDICATES, step["filter"], "filter")
            options["keep"] = keep(names, parameters)
        plugin = "reduce_by_key_and_window" if "length" in options else step["op"]
        at = self.operator(plugin=plugin, source=x.name, by=by,
                           values={"v": self.reduced(step, x.tree.right)}, **options)
        return Stream(at, Pair(names.left, Leaf(x.tree.right.kind, "v")), slide)

    op_combine_by_key = op_reduce_by_key
    op_reduce_by_key_and_window = op_reduce_by_key

    def op_group_by_key(self, step, x):
        options, slide = self.over(step, x)
        x = self.pairs(x)
        by, names = self.keys(x)
        plugin = "group_by_key_and_window" if options else "group_by_key"
        at = self.operator(plugin=plugin, source=x.name, by=by, **options)
        kind = x.tree.right.kind if isinstance(x.tree.right, Leaf) else "struct"
        values = Leaf("list<%s>" % kind, "values", x.tree.right)
        return Stream(at, Pair(names.left, values), slide)

    op_group_by_key_and_window = op_group_by_key

    def op_window(self, step, x):
        options, slide = self.over(step, x)
        return Stream(self.operator(plugin="window", source=x.name, **options), x.tree, slide)

    # ---- several streams ----

    def op_union(self, step, *inputs):
        inputs = [self.usual(one) for one in inputs]
        at = self.operator(plugin="union", source=[one.name for one in inputs])
        return Stream(at, inputs[0].tree, inputs[0].slide)

    def op_cogroup(self, step, *inputs):
        inputs = [self.pairs(one) for one in inputs]
        names = ["i%d" % number for number in range(len(inputs))]
        by, tree = self.keys(inputs[0])
        at = self.operator(plugin="cogroup", by=by,
                           source={name: one.name for name, one in zip(names, inputs)})
        sides = [Leaf("list<struct>", name, one.tree.right) for name, one in zip(names, inputs)]
        sides_tree = sides[0]
        for side in sides[1:]:
            sides_tree = Pair(sides_tree, side)
        return Stream(at, Pair(tree.left, sides_tree), inputs[0].slide)

    def joined(self, kind, a, b):
        a, b = self.pairs(a), self.pairs(b)
        keys = [leaf.expr for leaf in a.tree.left.leaves()]
        left = [leaf.expr for leaf in a.tree.right.leaves()]
        right = [leaf.expr for leaf in b.tree.right.leaves()]
        side = {"right_outer": "r.%s", "full_outer": "coalesce(l.%s, r.%s)"}.get(kind, "l.%s")
        columns = ["%s as %s" % (side % ((key,) * side.count("%s")), key) for key in keys]
        columns += ["l.%s as l%s" % (name, name) for name in left]
        columns += ["r.%s as r%s" % (name, name) for name in right]
        at = self.operator(plugin="join", scope="batch", type=kind,
                           source={"l": a.name, "r": b.name}, columns=columns,
                           on=" and ".join("l.%s = r.%s" % (key, key) for key in keys))
        renamed = [tree.right.map(lambda leaf, p=p: Leaf(leaf.kind, p + leaf.expr, leaf.element))
                   for tree, p in ((a.tree, "l"), (b.tree, "r"))]
        return Stream(at, Pair(a.tree.left, Pair(*renamed)), a.slide)

    def op_join(self, step, a, b):
        return self.joined("inner", a, b)

    def op_left_outer_join(self, step, a, b):
        return self.joined("left_outer", a, b)

    def op_right_outer_join(self, step, a, b):
        return self.joined("right_outer", a, b)

    def op_full_outer_join(self, step, a, b):
        return self.joined("full_outer", a, b)

    def op_transform(self, step, *inputs):
        name, parameters = functions.spec_of(step["fn"])
        if name == "map":
            return self.op_map({"fn": parameters["fn"]}, *inputs)
        if name == "union":
            return self.op_union(step, *inputs)
        if name == "join":
            return self.joined("inner", *inputs)
        if name == "sort_by_key":
            x = self.pairs(inputs[0])
            at = self.operator(plugin="order", source=x.name, scope="batch",
                               by=[leaf.expr for leaf in x.tree.left.leaves()])
            return Stream(at, x.tree, x.slide)
        if name == "null":
            x = self.usual(inputs[0])
            at = self.operator(plugin="lua", source=x.name, mode="transform", columns=ddl(x.tree),
                               function="nothing",
                               lua_text="function nothing(ctx, rows) return nil end\n")
            return Stream(at, x.tree, x.slide)
        if name == "union12_pair_self_join3":
            both = self.op_union(step, inputs[0], inputs[1])
            both = self.select(both, Pair(both.tree, both.tree))
            return self.joined("inner", both, inputs[2])
        raise Unfit("the transform function %r is not known" % name)

    # ---- state ----

    def initial(self, step, columns, by):
        rows = step.get("initial")
        if rows is None:
            return {}
        kinds = [leaf.kind for leaf in by.leaves()] + [kind for _, kind in columns]
        names = [leaf.expr for leaf in by.leaves()] + [name for name, _ in columns]
        flat = [flatten(by, key) + (list(state) if len(columns) > 1 else [state])
                for key, state in rows]
        text = ", ".join("%s %s" % pair for pair in zip(names, kinds))
        return {"initial": {"columns": text, "rows": flat}}

    def op_update_state_by_key(self, step, x):
        x = self.pairs(x)
        by, names = self.keys(x)
        fn, _ = functions.find(functions.UPDATES, step["fn"], "update_state_by_key")
        columns, text = fn(x.tree.right.kind)
        at = self.operator(plugin="update_state_by_key", source=x.name, by=by,
                           state=", ".join("%s %s" % column for column in columns),
                           function="update", lua_text=text,
                           **self.initial(step, columns, names.left))
        trees = [Leaf(kind, name) for name, kind in columns]
        if step.get("emit") == "first_of_state" or len(trees) == 1:
            state = trees[0]
        else:
            state = Pair(*trees)
        if step.get("emit") == "first_of_state" and len(trees) > 1:
            return self.select(Stream(at, Pair(names.left, state), x.slide),
                               Pair(names.left, state))
        return Stream(at, Pair(names.left, state), x.slide)

    def op_map_with_state(self, step, x):
        x = self.pairs(x)
        by, names = self.keys(x)
        fn, _ = functions.find(functions.MAPPED, step["fn"], "map_with_state")
        tree, text = fn(names.left, x.tree.right)
        kind = x.tree.right.kind
        columns = [("state", kind)]
        options = self.initial(step, columns, names.left)
        if "timeout_ms" in step:
            options["timeout"] = duration(step["timeout_ms"])
        if "checkpoint_ms" in step:
            options["expire_every"] = max(1, step["checkpoint_ms"] // (self.batch_ms * x.slide))
        at = self.operator(plugin="map_with_state", source=x.name, by=by, state="state " + kind,
                           columns=ddl(tree), function="mapped", lua_text=text, **options)
        stream = Stream(at, tree, x.slide)
        stream.snapshots = Pair(names.left, Leaf(kind, "state"))
        return stream

    def op_state_snapshots(self, step, x):
        if not hasattr(x, "snapshots"):
            raise Unfit("snapshots of what has no state")
        return Stream(x.name + ".snapshots", x.snapshots, x.slide)

    # ---- output ----

    def op_foreach_rdd(self, step, x):
        name, parameters = functions.spec_of(step["fn"])
        if name == "fail":
            sink = "put_%d" % len(self.outputs)
            self.failing[sink] = parameters["message"]
            self.real.append(sink)
            self.outputs.append(x)
        else:
            self.outputs.append(x)
        return x

    def op_save_as_files(self, step, x):
        self.outputs.append(x)
        return x

    # ---- the end ----

    def watch(self, of, partitions=False):
        """A sink for the rows of a step, or for its partitions: they are seen through glom, a row for each."""
        stream = self.streams[of]
        name, source = "out_" + of, stream.name
        if partitions:
            self.now = "parts"
            name, source = "parts_" + of, self.operator(plugin="glom", source=source)
        self.job["sinks"][name] = {"plugin": "null", "from": source}
        return name

    def finished(self):
        """The job as a file has it."""
        for number, stream in enumerate(self.outputs):
            sink = "put_%d" % number
            self.job["sinks"][sink] = {"plugin": "null", "from": stream.name}
            if sink in self.failing:
                self.job["sinks"][sink].update(plugin="failing", message=self.failing[sink])
        for operator in self.job["operators"].values():
            lua_options(operator)
        return self.job


def rows_of(spec):
    """All rows of an input that is given batch by batch."""
    return [row for batch in spec.get("batches", []) if batch is not None for row in batch]


def lua_options(operator):
    """The text of a function in its place: `lua` has it as its own, state operators in `lua`."""
    text = operator.pop("lua_text", None)
    if text is None:
        return
    by = operator.get("by") or []
    key = by[0].split(" as ")[-1] if by else "k"
    text = text.replace("KEY", "key" if len(by) == 1 else "key[1]")
    text = text.replace("TIME_MS", "ctx.time / 1000")
    del key
    if operator["plugin"] == "lua":
        operator["source"] = text
    else:
        operator["lua"] = {"source": text, "function": operator.pop("function")}


def tree_is(have, want):
    return [leaf.expr for leaf in have.leaves()] == [leaf.expr for leaf in want.leaves()]


def never_dry(spec):
    """With one dataset at a time: whether one is there for every batch until all are used up."""
    if not spec.get("one_at_a_time", True):
        return False
    there, used = 0, 0
    last = max((int(key) for key in spec.get("enqueue", {})), default=0)
    for batch in range(1, last + 1):
        there += len(spec["enqueue"].get(str(batch), []))
        if used >= there:
            return False
        used += 1
    return True


def pushes(spec, tree, batch):
    """Rows of a batch (from 1) for a scripted source; None: none at all; "absent"."""
    kind = spec.get("type", "batches")
    if kind == "batches":
        if batch > len(spec["batches"]):
            return []
        rows = spec["batches"][batch - 1]
        return "absent" if rows is None else [flatten(tree, row) for row in rows]
    if kind == "socket_text":
        return [[line] for line in lines_before(spec["send"], batch)]
    if kind == "receiver_push":
        return [[1]] * pushed(spec, batch) or None
    return []


def lines_before(send, batch):
    """Lines that are whole before a batch and were not before the one before it; the last one of all needs no end."""
    def lines(until):
        text = "".join(one["bytes"] for one in send if one.get("before_batch", 1) <= until)
        pieces = text.split("\n")
        last = max(one.get("before_batch", 1) for one in send)
        return pieces if until >= last and pieces[-1] else pieces[:-1]
    return [line.rstrip("\r") for line in lines(batch)[len(lines(batch - 1)):]] if send else []


def pushed(spec, batch):
    """How many records the threads of a receiver push before a batch: all in the first, or as many as their rate
    gives. Without an end of their own the run's end is theirs."""
    threads, each = spec.get("threads", 1), spec.get("records_per_thread")
    rate = spec.get("records_per_second")
    if each is None:
        return threads * (rate or 100)
    if not rate:
        return threads * each if batch == 1 else 0
    return threads * max(0, min(rate, each - rate * (batch - 1)))


def queue_pushes(spec, tree, batches):
    """Rows per batch of a queue that is filled while it runs."""
    waiting, out = [], []
    for batch in range(1, batches + 1):
        waiting += spec.get("enqueue", {}).get(str(batch), [])
        if not waiting:
            rows = spec.get("default") or []
        elif spec.get("one_at_a_time", True):
            rows = waiting.pop(0)
        else:
            rows = [row for one in waiting for row in one]
            waiting = []
        out.append([flatten(tree, row) for row in rows])
    return out


def player(case, engine):
    """The player for a case."""
    if "timeline" in case:
        from adapter.timeline import Timeline
        return Timeline(case)
    return Batches(case)


def binary_rows(rows):
    """Records of bytes in any form in which a case may write them: as what the engine shows."""
    return [list(base64.b64decode(row)) if isinstance(row, str) else row for row in rows]


class Run:
    """What is expected of all batches of a run together."""

    def judge_run(self, rows, batches):
        """Problems. `rows` are those of the watched steps in order, `batches` says how many there were."""
        case, problems = self.case, []
        if "expect_total_in_order" in case:
            problems.append(differ(case["expect_total_in_order"], rows, "exact"))
        for key in ("expect_total", "expect_total_any_order"):
            if key in case:
                problems.append(differ(case[key], rows, "any"))
        if "expect_sum_over_run" in case and sum(rows) != case["expect_sum_over_run"]:
            problems.append("the sum is %s, not %s" % (sum(rows), case["expect_sum_over_run"]))
        for name, number in case.get("expect_counters", {}).items():
            problems.append(self.counter(name, number, rows, batches))
        if "expect_distinct_outputs" in case:
            problems.append(differ(case["expect_distinct_outputs"], unique(rows), "any"))
        if "invariant" in case or "invariants" in case:
            problems.append(self.invariant(rows))
        return [problem for problem in problems if problem]

    @staticmethod
    def counter(name, number, rows, batches):
        """Counters over the run: of records, or of batches, each of which is one call."""
        if any(word in name for word in ("call", "batch", "job", "rdd", "dataset")):
            got = batches
        elif any(word in name for word in ("record", "row", "element", "event", "count", "line")):
            got = len(rows)
        else:
            return "nothing counts %r" % name
        return None if got == number else "%s: %d, not %d" % (name, got, number)

    def invariant(self, rows):
        """Nothing that was pushed is lost or doubled: rows come one by one, or as counts."""
        given = sum(pushed(spec, batch) for spec in self.case["inputs"].values()
                    if spec.get("type") == "receiver_push" for batch in range(1, self.n + 1))
        if not given:
            return "an invariant of this kind is not known"
        counts = any(step["op"] == "count" for step in self.case["pipeline"])
        got = sum(rows) if counts else len(rows)
        return None if got == given else "%d records came of %d" % (got, given)


class Batches(Run):
    """Rows, a tick, rows, a tick …; then everything by batch."""

    def __init__(self, case):
        self.case = case
        self.builder = Builder(case)
        self.n = case.get("run_batches") or self.count_batches()
        self.watched, self.parts = {}, {}
        self.watch_all()
        zero = case.get("clock_start_ms", case.get("zero_time_ms", 0))
        self.zero = zero // self.builder.batch_ms * self.builder.batch_ms
        self.scenario = {"about": case["id"], "start": timestamp(zero),
                         "job": self.builder.finished(), "steps": self.steps()}
        if self.builder.real:
            self.scenario["real"] = self.builder.real

    def count_batches(self):
        n = 1
        for expect in self.case.get("expect", []):
            n = max(n, len(expect["per_batch"]))
        for spec in self.case["inputs"].values():
            n = max([n, len(spec.get("batches", []))] +
                    [one.get("before_batch", 1) for one in spec.get("send", [])] +
                    [int(key) for key in spec.get("enqueue", {})])
            if spec.get("records_per_thread") and spec.get("records_per_second"):
                n = max(n, -(-spec["records_per_thread"] // spec["records_per_second"]))
        return n

    def watch_all(self):
        """Sinks for what is expected, by step."""
        builder = self.builder
        expects = self.case.get("expect", [])
        names = [one.get("of", builder.last) for one in expects
                 if one.get("compare") != "partitions"]
        names += [piece.get("of", builder.last) for piece in self.case.get("slices", [])]
        self.parts = {name: builder.watch(name, partitions=True)
                      for name in dict.fromkeys(one.get("of", builder.last) for one in expects
                                                if one.get("compare") == "partitions")}
        if not names and not self.parts and (not builder.outputs or not builder.failing):
            names = [builder.last]
        self.watched = {name: builder.watch(name) for name in dict.fromkeys(names)}

    def steps(self):
        builder, case = self.builder, self.case
        kills = {restart["after_batch"] for restart in case.get("restarts", [])}
        queues = {name: queue_pushes(spec, builder.streams[name].tree, self.n)
                  for name, spec in case["inputs"].items()
                  if spec.get("type") == "queue" and name not in builder.real}
        steps = []
        for batch in range(1, self.n + 1):
            rows = {}
            for name, spec in case["inputs"].items():
                if name in builder.real:
                    continue
                given = queues[name][batch - 1] if name in queues else \
                    pushes(spec, builder.streams[name].tree, batch)
                if given:
                    rows[name] = None if given == "absent" else given
            if rows:
                steps.append({"rows": rows})
            if batch in kills:
                steps.append({"crash": "after commit %d" % (batch - 1)})
            steps.append({"advance": duration(builder.batch_ms)})
            if batch in kills:
                steps.append({"restart": {}})
        steps.append({"expect": {}})
        return steps

    def scenarios(self):
        return [self.scenario]

    def judge(self, plays):
        play, case = plays[0], self.case
        if "expect_error" in case:
            return self.judge_error(play)
        if "expect_events" in case:
            return self.judge_events(play)
        if not play["passed"]:
            return Outcome("fail", play.get("why") or play.get("error") or play["state"])
        problems = self.judge_rows(play) + self.judge_slices(play)
        rows = [row for of in self.watched
                for _, batch in sorted(self.rows_by_batch(play, of).items()) for row in batch]
        problems += self.judge_run(rows, len({batch["batch"] for batch in play["batches"]
                                              if batch["batch"] < self.n}))
        return Outcome("fail", "; ".join(problems[:3])) if problems else Outcome("pass")

    def judge_error(self, play):
        expect = self.case["expect_error"]
        at = expect.get("at_batch")
        if play["state"] not in ("refused", "failed"):
            return Outcome("fail", "the run does not fail: %s" % (play.get("why") or play["state"]))
        wrong = reasons.wrong_reason(expect.get("category"), play.get("error"))
        if wrong:
            return Outcome("fail", wrong)
        message = expect.get("message_contains") or expect.get("message")
        if message and message not in play["error"]:
            return Outcome("fail", "the error does not say %r: %s" % (message, play["error"]))
        if play["state"] == "refused":
            return Outcome("pass")
        done = max([batch["batch"] for batch in play["batches"]], default=-1) + 1
        if at and done > at - 1:
            return Outcome("fail", "batch %d passes: it should have failed at %d" % (done, at))
        problems = self.judge_rows(play, until=at - 1 if at else done)
        return Outcome("fail", problems[0]) if problems else Outcome("pass")

    def judge_events(self, play):
        """What a listener is told: errors, batches by time, records."""
        for name, want in self.case["expect_events"].items():
            problem = self.judge_event(play, name, want)
            if problem:
                return Outcome("fail", "%s: %s" % (name, problem))
        problems = self.judge_rows(play) if play["state"] != "failed" else []
        return Outcome("fail", "; ".join(problems[:3])) if problems else Outcome("pass")

    def judge_event(self, play, name, want):
        failed, error = play["state"] in ("failed", "refused"), play.get("error") or ""
        times = sorted({batch["time_us"] // 1000 for batch in play["batches"]
                        if batch["batch"] < self.n})
        if "reason" in name or "message" in name:
            texts = list(want.values()) if isinstance(want, dict) else \
                want if isinstance(want, list) else [want]
            missing = [text for text in texts if text and str(text) not in error]
            return "no error says %r: %s" % (missing[0], error) if missing else None
        if "error" in name or "fail" in name:
            return None if bool(want) == failed else "the run fails" if failed else "it does not fail"
        if isinstance(want, bool) and any(word in name for word in ("complet", "start", "submit")):
            there = bool(times) or failed
            return None if there == want else "batches: %s" % times
        if "record" in name or "row" in name or "num_" in name:
            got = [batch["rows_in"] for batch in play["batches"] if batch["batch"] < self.n]
            got = got if isinstance(want, list) else sum(got)
            return None if canonical(got) == canonical(want) else "%s" % got
        if any(word in name for word in ("complet", "start", "submit", "batch", "time")):
            got = times if isinstance(want, list) else len(times)
            return None if canonical(got) == canonical(want) else "%s" % got
        return "nothing tells of it"

    def rows_by_batch(self, play, of):
        """Plain rows by batch (from 1); equal ones that came twice count once, others are a problem."""
        stream, out = self.builder.streams[of], {}
        for emission in play["sinks"].get(self.watched[of], []):
            rows = [unflatten(stream.tree, list(row)) for row in emission["rows"]]
            if binary(stream.tree):
                rows = binary_rows(rows)
            number = emission["batch"] + 1
            problem = differ(out[number], rows, "any") if number in out else None
            if problem:
                raise Unfit("batch %d of %s came twice and not alike: %s" % (number, of, problem))
            out[number] = rows
        return out

    def parts_by_batch(self, play, of):
        tree = named(self.builder.streams[of].tree)
        return {emission["batch"] + 1:
                {"partitions": len(emission["rows"]),
                 "rows": [unflatten(tree, list(item.values()))
                          for row in emission["rows"] for item in row[0]]}
                for emission in play["sinks"].get(self.parts[of], [])}

    def judge_rows(self, play, until=None):
        problems = []
        for expect in self.case.get("expect", []):
            of = expect.get("of", self.builder.last)
            came = self.parts_by_batch(play, of) if expect.get("compare") == "partitions" \
                else self.rows_by_batch(play, of)
            wanted = expect["per_batch"][:until]
            for number, rows in enumerate(wanted, 1):
                problem = self.judge_batch(expect, rows, came.get(number))
                if problem:
                    problems.append("%s, batch %d: %s" % (of, number, problem))
        return problems

    def judge_batch(self, expect, rows, came):
        if rows is None or came is None:
            if rows is None and came is None:
                return None
            return "a result came: %s" % came if rows is None else "there is no result"
        if expect.get("compare") == "partitions":
            if rows["partitions"] != came["partitions"]:
                return "%d partitions, not %d" % (came["partitions"], rows["partitions"])
            return differ(rows["rows"], came["rows"], "any")
        return differ(rows, came, expect.get("order", "any"))

    def judge_slices(self, play):
        """Rows of the batches of a range of times, whose ends count down to a multiple of the slide."""
        problems = []
        for piece in self.case.get("slices", []):
            of = piece.get("of", self.builder.last)
            want = piece.get("rows", piece.get("expect"))
            if piece.get("started") is False:
                # before the start there is no dataset at all, which is an error for who asks
                early = [one for one in play["sinks"].get(self.watched[of], []) if one["step"] < 1]
                if early and play["batches"][0]["time_us"] <= self.zero * 1000:
                    problems.append("there are rows before the start")
                continue
            slide = self.builder.streams[of].slide * self.builder.batch_ms
            low, high = ((piece[key] - self.zero) // slide * slide + self.zero
                         for key in ("from_ms", "to_ms"))
            rows = []
            for number, batch in sorted(self.rows_by_batch(play, of).items()):
                if low <= self.zero + number * self.builder.batch_ms <= high:
                    rows += batch
            problem = differ(want, rows, piece.get("order", "any"))
            if problem:
                problems.append("slice %d to %d: %s" % (piece["from_ms"], piece["to_ms"], problem))
        return problems


def binary(tree):
    return isinstance(tree, Leaf) and tree.kind == "binary"


def unique(rows):
    out = []
    for row in rows:
        if row not in out:
            out.append(row)
    return out
