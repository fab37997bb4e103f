#!/usr/bin/env python3
"""weir-bench compare: the same bytes through other engines, results checked, ratios printed.

Engines are Python packages (duckdb, chdb, polars, pyspark with a Java), and rsyslogd for socket-file; what is not
installed is left out and named. Each engine runs in a process of its own: once to warm up, then --runs times; weir runs
as often, in a fresh process each time. Every engine parses the files; only keyed-1e6, keyed-1e7 and ysb-columns begin
with typed rows. Of the first two weir makes them as it goes, with checkpoints on; the others read them from Parquet and
make nothing durable (weir runs without checkpoints as well, in turn, to tell what they cost). In ysb-columns they
lie in memory before the clock runs, in each engine's own form. Each makes its whole result in memory; Spark hands it to
its sink `noop`, which spares it that.
"""
import argparse
import importlib.util
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ENGINES = ["duckdb", "chdb", "polars", "pyspark"]
WORKLOADS = ["grep", "wordcount", "wordcount-zipf", "ysb-json", "ysb-json-odd", "ysb-columns", "keyed-csv",
             "keyed-1e6", "keyed-1e7", "socket-file"]
KEYED = ["keyed-1e6", "keyed-1e7"]
RSYSLOGD = shutil.which("rsyslogd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
TYPED = {"keyed-1e6": "keyed", "keyed-1e7": "keyed", "ysb-columns": "events"}
IN_MEMORY = ["ysb-columns"]  # every engine begins with what it has loaded
COLUMNS = {"keyed": {"k": "BIGINT", "v": "BIGINT"}, "events": {"ad": "BIGINT", "event": "INTEGER", "ms": "BIGINT"}}


# ---- queries: each returns a function that runs one and gives a table with a `csv(path)` ----

def duckdb_query(name, directory):
    import duckdb
    base = f"{directory}/"
    lines = "read_csv('%s', header=false, delim='|', quote='', escape='', columns={'value': 'VARCHAR'})"
    window = "ms // 10000 * 10000000"
    views = ("SELECT campaign, {w} AS s, count(*) AS n FROM ({events}) JOIN {ads} USING (ad) "
             "WHERE event = {view} GROUP BY ALL")
    sql = {
        "grep": f"SELECT value FROM {lines % (base + 'lines.txt')} WHERE contains(value, 'NEEDLE-8')",
        "wordcount": f"SELECT w, count(*) FROM (SELECT unnest(string_split(value, ' ')) AS w "
                     f"FROM {lines % (base + 'words.txt')}) GROUP BY w",
        "ysb-json": views.format(
            w=window, view="'view'",
            events=f"SELECT ad_id AS ad, event_type AS event, event_time::BIGINT AS ms FROM read_json('{base}events.json', "
                   "format='newline_delimited', columns={'ad_id': 'VARCHAR', 'event_type': 'VARCHAR', "
                   "'event_time': 'VARCHAR'})",
            ads=f"(SELECT * FROM read_csv('{base}ads.csv', header=false, columns={{'ad': 'VARCHAR', "
                "'campaign': 'VARCHAR'}))"),
        "ysb-columns": f"SELECT ad % 100, {window} AS s, count(*) FROM events WHERE event = 0 GROUP BY ALL",
        "keyed-csv": f"SELECT k, count(*), sum(v) FROM read_csv('{base}keyed.csv', header=false, "
                     "columns={'k': 'BIGINT', 'v': 'BIGINT'}) GROUP BY k",
        "keyed-1e6": f"SELECT k, count(*), sum(v) FROM '{base}keyed.parquet' GROUP BY k",
    }
    sql["wordcount-zipf"] = sql["wordcount"]
    sql["ysb-json-odd"] = sql["ysb-json"]
    sql["keyed-1e7"] = sql["keyed-1e6"]
    db = duckdb.connect()
    db.execute("SET preserve_insertion_order=false")
    if name in IN_MEMORY:
        db.execute(f"CREATE TABLE events AS SELECT * FROM '{base}events.parquet'")

    def run():
        db.execute(f"CREATE OR REPLACE TEMP TABLE result AS {sql[name]}")
        return lambda path: db.execute(f"COPY result TO '{path}' (HEADER false, QUOTE '')")
    return run


def chdb_query(name, directory):
    from chdb import session
    base = f"{directory}/"
    window = "intDiv(ms, 10000) * 10000000"
    sql = {
        "grep": f"SELECT line FROM file('{base}lines.txt', 'LineAsString', 'line String') WHERE line LIKE '%NEEDLE-8%'",
        "wordcount": f"SELECT arrayJoin(splitByChar(' ', line)) AS w, count() FROM file('{base}words.txt', 'LineAsString', "
                     "'line String') GROUP BY w",
        "ysb-json": f"SELECT campaign, {window} AS s, count() FROM (SELECT ad_id AS ad, toInt64(event_time) AS ms FROM "
                    f"file('{base}events.json', 'JSONEachRow', 'ad_id String, event_type String, event_time String') "
                    f"WHERE event_type = 'view') AS e JOIN file('{base}ads.csv', 'CSV', 'ad String, campaign String') AS a "
                    "USING (ad) GROUP BY campaign, s",
        "ysb-columns": f"SELECT ad % 100 AS c, {window} AS s, count() FROM kept.events WHERE event = 0 GROUP BY c, s",
        "keyed-csv": f"SELECT k, count(), sum(v) FROM file('{base}keyed.csv', 'CSV', 'k Int64, v Int64') GROUP BY k",
        "keyed-1e6": f"SELECT k, count(), sum(v) FROM file('{base}keyed.parquet') GROUP BY k",
    }
    sql["wordcount-zipf"] = sql["wordcount"]
    sql["ysb-json-odd"] = sql["ysb-json"]
    sql["keyed-1e7"] = sql["keyed-1e6"]
    db = session.Session()
    if name in IN_MEMORY:
        db.query("CREATE DATABASE kept")
        db.query(f"CREATE TABLE kept.events ENGINE = Memory AS SELECT * FROM file('{base}events.parquet')")
    more = " SETTINGS input_format_skip_unknown_fields=1, max_threads=%d" % os.cpu_count()

    def run():
        db.query(sql[name] + more, "ArrowStream")

        def write(path):
            text = db.query(sql[name] + more, "TSV").bytes()
            with open(path, "wb") as out:
                out.write(text.replace(b"\t", b","))
        return write
    return run


def polars_query(name, directory):
    import polars as pl
    base = f"{directory}/"

    def lines(path):
        return pl.scan_csv(path, separator="|", has_header=False, new_columns=["value"], quote_char=None)

    def words():
        return lines(base + "words.txt").select(pl.col("value").str.split(" ").explode()).group_by("value").len()

    def counted(events, ads, view):
        plan = events.filter(pl.col("event") == view)
        if ads is not None:
            plan = plan.join(ads, on="ad")
        return plan.with_columns((pl.col("ms") // 10000 * 10000000).alias("s")).group_by(["campaign", "s"]).len()

    def ysb():
        read = pl.scan_ndjson(base + "events.json", schema={"ad_id": pl.String, "event_type": pl.String,
                                                            "event_time": pl.String})
        ads = pl.scan_csv(base + "ads.csv", has_header=False, new_columns=["ad", "campaign"])
        return counted(read.select(pl.col("ad_id").alias("ad"), pl.col("event_type").alias("event"),
                                     pl.col("event_time").cast(pl.Int64).alias("ms")), ads, "view")

    def keyed(frame):
        return frame.group_by("k").agg(pl.len(), pl.col("v").sum().alias("total"))

    events = pl.read_parquet(base + "events.parquet").lazy() if name in IN_MEMORY else None
    plans = {
        "grep": lambda: lines(base + "lines.txt").filter(pl.col("value").str.contains("NEEDLE-8", literal=True)),
        "wordcount": words, "wordcount-zipf": words, "ysb-json": ysb, "ysb-json-odd": ysb,
        "ysb-columns": lambda: counted(events.with_columns(
            (pl.col("ad") % 100).alias("campaign")), None, 0),
        "keyed-csv": lambda: keyed(pl.scan_csv(base + "keyed.csv", has_header=False, schema={"k": pl.Int64, "v": pl.Int64})),
        "keyed-1e6": lambda: keyed(pl.scan_parquet(base + "keyed.parquet")),
        "keyed-1e7": lambda: keyed(pl.scan_parquet(base + "keyed.parquet")),
    }

    def run():
        result = plans[name]().collect(engine="streaming")
        return lambda path: result.write_csv(path, include_header=False)
    return run


def pyspark_query(name, directory):
    from pyspark.sql import SparkSession
    spark = (SparkSession.builder.master(f"local[{os.cpu_count()}]").config("spark.ui.enabled", "false")
             .config("spark.driver.memory", "4g").config("spark.sql.shuffle.partitions", os.cpu_count())
             .config("spark.local.dir", directory).config("spark.log.level", "ERROR").getOrCreate())
    base = f"{directory}/"
    read = spark.read
    events = read.parquet(base + "events.parquet").cache() if name in IN_MEMORY else None
    if events:
        events.count()

    def words():
        return (read.text(base + "words.txt").selectExpr("explode(split(value, ' ')) AS w")
                .groupBy("w").count())

    def ysb():
        read.schema("ad_id STRING, event_type STRING, event_time STRING").json(base + "events.json").createOrReplaceTempView(
            "events")
        read.schema("ad STRING, campaign STRING").csv(base + "ads.csv").createOrReplaceTempView("ads")
        return spark.sql("SELECT campaign, try_cast(event_time AS BIGINT) DIV 10000 * 10000000 AS s, count(*) FROM events "
                         "JOIN ads ON ad_id = ad WHERE event_type = 'view' GROUP BY 1, 2")

    def keyed(frame):
        return frame.groupBy("k").agg({"*": "count", "v": "sum"}).selectExpr("k", "`count(1)`", "`sum(v)`")

    plans = {
        "grep": lambda: read.text(base + "lines.txt").where("contains(value, 'NEEDLE-8')"),
        "wordcount": words, "wordcount-zipf": words, "ysb-json": ysb, "ysb-json-odd": ysb,
        "ysb-columns": lambda: events.where("event = 0").selectExpr(
            "ad % 100 AS campaign", "ms DIV 10000 * 10000000 AS s").groupBy("campaign", "s").count(),
        "keyed-csv": lambda: keyed(read.schema("k BIGINT, v BIGINT").csv(base + "keyed.csv")),
        "keyed-1e6": lambda: keyed(read.parquet(base + "keyed.parquet")),
        "keyed-1e7": lambda: keyed(read.parquet(base + "keyed.parquet")),
    }

    def run():
        plans[name]().write.format("noop").mode("overwrite").save()

        def write(path):
            plans[name]().coalesce(1).write.csv(path + ".parts", mode="overwrite", quote="", escape="",
                                                ignoreLeadingWhiteSpace=False, ignoreTrailingWhiteSpace=False)
            part = next(file for file in os.listdir(path + ".parts") if file.endswith(".csv"))
            os.rename(f"{path}.parts/{part}", path)
        return write
    return run


QUERIES = {"duckdb": duckdb_query, "chdb": chdb_query, "polars": polars_query, "pyspark": pyspark_query}


def processes():
    """This process and its living children (the JVM of Spark)."""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as children:
        return [str(os.getpid())] + children.read().split()


def cpu(pids):
    used = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            ticks = stat.read().rsplit(")", 1)[1].split()
        used += int(ticks[11]) + int(ticks[12])
    return used / os.sysconf("SC_CLK_TCK")


def peak_mb(pids):
    peak = 0
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            peak += next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    return peak / 1024


def peer(engine, name, directory, runs, out):
    """One engine in this process: figures as JSON on stdout, its result as csv in `out`."""
    run = QUERIES[engine](name, directory)
    run()
    figures = []
    for _ in range(runs):
        wall, used = time.monotonic(), cpu(processes())
        write = run()
        figures.append([time.monotonic() - wall, cpu(processes()) - used])
    peak = peak_mb(processes())
    write(out)
    print(json.dumps({"figures": figures, "peak_rss_mb": peak}))


# ---- the comparison ----

def make_parquet(name, directory):
    what = TYPED[name]
    source, target = f"{directory}/{what}.csv", f"{directory}/{what}.parquet"
    if importlib.util.find_spec("duckdb"):
        import duckdb
        columns = ", ".join(f"'{c}': '{t}'" for c, t in COLUMNS[what].items())
        duckdb.execute(f"COPY (SELECT * FROM read_csv('{source}', header=false, columns={{{columns}}})) TO '{target}'")
    else:
        import polars as pl
        types = {c: pl.Int32 if t == "INTEGER" else pl.Int64 for c, t in COLUMNS[what].items()}
        pl.scan_csv(source, has_header=False, schema=types).sink_parquet(target)
    os.unlink(source)


def weir(args, name, directory, *more):
    """One run of weir-bench in a fresh process."""
    words = [args.weir_bench, name, "--json", "--dir", args.dir] + args.passed + list(more)
    if args.counts.get(name):
        words += ["--records", args.counts[name]]
    if name not in TYPED and name != "socket-file":
        words += ["--input", directory]
    return json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)


def middle(answers):
    answer = sorted(answers, key=lambda a: a["wall_s"])[len(answers) // 2]
    answer["cpu_s"] = statistics.median(a["cpu_s"] for a in answers)
    return answer


def weir_in_pairs(args, name, directory):
    """weir with checkpoints, and in turn without them: what they cost is known from pairs of runs next to each other."""
    on, off = [], []
    for _ in range(args.runs):
        on.append(weir(args, name, directory))
        off.append(weir(args, name, directory, "--checkpoint", "no"))
    loss = statistics.median(1 - a["records_per_s"] / b["records_per_s"] for a, b in zip(on, off))
    more_cpu = statistics.median(a["cpu_s"] / b["cpu_s"] - 1 for a, b in zip(on, off))
    return middle(on), loss, more_cpu


def other(args, engine, name, directory, runs, records, checksum):
    out = f"{directory}/result.csv"
    words = [sys.executable, __file__, "--peer", engine, name, directory, str(runs), out]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        return {"failed": done.stderr.decode(errors="replace").strip().splitlines()[-1:]}
    answer = json.loads(done.stdout)
    sums = json.loads(subprocess.run([args.weir_bench, "checksum", out], check=True, stdout=subprocess.PIPE).stdout)
    wall = statistics.median(f[0] for f in answer["figures"])
    return {"records_per_s": records / wall, "cpu_s_per_million": statistics.median(f[1] for f in answer["figures"]) /
            records * 1e6, "peak_rss_mb": answer["peak_rss_mb"], "agrees": sums["checksum"] == checksum}


RSYSLOG = """module(load="imptcp")
template(name="raw" type="string" string="%rawmsg%\\n")
input(type="imptcp" address="127.0.0.1" port="{port}" ruleset="lines")
ruleset(name="lines" queue.type="FixedArray" queue.size="200000" queue.dequeueBatchSize="4096") {{
  action(type="omfile" file="{out}" template="raw" asyncWriting="on" ioBufferSize="256k" flushOnTXEnd="off" flushInterval="1")
}}
"""


def count_lines(path):
    if not os.path.exists(path):
        return 0
    return int(subprocess.run(["wc", "-l", path], check=True, stdout=subprocess.PIPE).stdout.split()[0])


def rsyslog_once(args, directory, records):
    """rsyslogd from start to the last line in its file."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    out, conf = f"{directory}/out.log", f"{directory}/rsyslog.conf"
    if os.path.exists(out):
        os.unlink(out)
    with open(conf, "w", encoding="utf-8") as file:
        file.write(RSYSLOG.format(port=port, out=out))
    daemon = subprocess.Popen([RSYSLOGD, "-n", "-f", conf, "-i", f"{directory}/rsyslog.pid"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        began = time.monotonic()
        subprocess.run([args.weir_bench, "send", str(port), "200", "--records", str(records)], check=True)
        for _ in range(600):
            if os.path.exists(out) and os.path.getsize(out) >= records * 200:
                break
            time.sleep(0.02)
        wall = time.monotonic() - began
        return wall, cpu([daemon.pid]), peak_mb([daemon.pid]), count_lines(out)
    finally:
        daemon.terminate()
        daemon.wait()


def rsyslog(args, directory, records):
    runs = [rsyslog_once(args, directory, records) for _ in range(args.runs)]
    return {"records_per_s": records / statistics.median(r[0] for r in runs),
            "cpu_s_per_million": statistics.median(r[1] for r in runs) / records * 1e6,
            "peak_rss_mb": max(r[2] for r in runs), "agrees": all(r[3] == records for r in runs)}


def row(label, r, base):
    if "failed" in r:
        return f"  {label:8} failed: {' '.join(r['failed'])}"
    text = (f"  {label:8} {r['records_per_s'] / 1e6:9.2f} M/s  {r['cpu_s_per_million']:8.4f} CPU s/M  "
            f"{r['peak_rss_mb']:7.0f} MB")
    if base is not None:
        text += (f"   weir: {base['records_per_s'] / r['records_per_s']:5.2f} x rate, "
                 f"{r['cpu_s_per_million'] / base['cpu_s_per_million']:5.2f} x less CPU"
                 f"{'' if r['agrees'] else '   ITS RESULT DIFFERS'}")
    return text


def compare(args, name, engines):
    directory = tempfile.mkdtemp(prefix="weir-bench-compare-", dir=args.dir)
    more = ["--records", args.counts[name]] if args.counts.get(name) else []
    try:
        if name != "socket-file":
            subprocess.run([args.weir_bench, "generate", name, directory] + more, check=True)
        if name == "socket-file":
            engines = ["rsyslog"] if RSYSLOGD else []
        elif name in TYPED and engines:
            # in a process of its own: the peak of memory of a child begins with what its parent holds
            subprocess.run([sys.executable, __file__, "--parquet", name, directory], check=True)
        loss = None
        if name in KEYED:
            base, loss, more_cpu = weir_in_pairs(args, name, directory)
        else:
            base = middle([weir(args, name, directory) for _ in range(args.runs)])
        base["cpu_s_per_million"] = base["cpu_s"] / base["records"] * 1e6
        print(f"{name}: {base['records']} records, {args.runs} runs, medians", flush=True)
        print(row("weir", base, None), flush=True)
        if loss is not None:
            print(f"  checkpoints cost {loss:.1%} of the rate, {more_cpu:.1%} more CPU; "
                  f"pause p50 {base['pause_p50_ms']:.0f} ms, longest {base['pause_max_ms']:.0f} ms", flush=True)
            base["loss"] = loss
        results = {"weir": base}
        for engine in engines:
            if engine == "rsyslog":
                results[engine] = rsyslog(args, directory, base["records"])
            else:
                results[engine] = other(args, engine, name, directory, args.runs, base["records"], base["checksum"])
            print(row(engine, results[engine], base), flush=True)
        rates = [r["records_per_s"] for e, r in results.items() if e != "weir" and r.get("agrees")]
        if rates:
            print(f"  = {base['records_per_s'] / max(rates):.2f} times the fastest of them", flush=True)
        if args.json:
            with open(args.json, "a", encoding="utf-8") as out:
                out.write(json.dumps({"workload": name, "results": results}) + "\n")
        return all(r.get("agrees", True) for r in results.values())
    finally:
        shutil.rmtree(directory)


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--peer":
        peer(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), sys.argv[6])
        return 0
    if len(sys.argv) > 1 and sys.argv[1] == "--parquet":
        make_parquet(sys.argv[2], sys.argv[3])
        return 0
    parser = argparse.ArgumentParser(prog="weir-bench compare", description=__doc__)
    parser.add_argument("weir_bench", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="NAME", help="all that other engines can do")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--dir", default="/tmp")
    parser.add_argument("--records", action="append", default=[], metavar="NAME=N")
    parser.add_argument("--json", help="a file to which a line per workload is added")
    parser.add_argument("--plugin-path", action="append", default=[])
    args = parser.parse_args()
    args.counts = dict(text.split("=", 1) for text in args.records)
    args.passed = [word for path in args.plugin_path for word in ("--plugin-path", path)]
    engines = [e for e in ENGINES if importlib.util.find_spec(e)]
    missing = [e for e in ENGINES if e not in engines] + ([] if RSYSLOGD else ["rsyslogd"])
    if missing:
        print(f"weir-bench: not installed, so not compared: {', '.join(missing)}")
    agree = True
    for name in args.names or WORKLOADS:
        if name not in WORKLOADS:
            print(f"weir-bench: {name} has nothing to compare with", file=sys.stderr)
            return 64
        agree = compare(args, name, engines) and agree
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
