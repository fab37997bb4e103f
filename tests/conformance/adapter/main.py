"""The command: reads cases, plays them, prints a line for each and the totals."""
import argparse
import json
import os
import re
import sys

from adapter import dstream, structured, unit
from adapter.engine import Engine
from adapter.outcome import Outcome, Skip, Unfit

KINDS = {"dstream": dstream, "structured": structured, "unit": unit}
ROUNDS = 8


def parse(argv):
    """The command line."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(prog="run", description="plays conformance cases")
    parser.add_argument("--cases", default=os.path.join(here, "cases"), metavar="DIR",
                        help="folder of cases (default: the ones beside this command)")
    parser.add_argument("--filter", default="", metavar="RE", help="only ids that match")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--json", action="store_true", help="results as one JSON document")
    parser.add_argument("--keep", metavar="DIR", help="keep jobs and scenarios there")
    parser.add_argument("--build", metavar="DIR", help="build tree (default: found)")
    parser.add_argument("--advisory", action="store_true", help="print advisory differences")
    return parser.parse_args(argv)


def read_case(path):
    """A case. One that can't be read has the reason as `broken`, and its path for an id."""
    try:
        with open(path, encoding="utf-8") as file:
            case = json.load(file)
    except (OSError, ValueError) as error:
        return {"id": path, "broken": "it can't be read: %s" % error}
    if not isinstance(case, dict):
        return {}
    if "kind" in case and (not isinstance(case.get("id"), str) or not case["id"]):
        return dict(case, id=path, broken="it has no id")
    return case


def read_cases(folder, pattern):
    """All cases below a folder, by id."""
    cases = {}
    for directory, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if not name.endswith(".json"):
                continue
            path = os.path.join(directory, name)
            case = read_case(path)
            if "kind" not in case and "broken" not in case:
                continue  # another kind of file
            if not re.search(pattern, case["id"]):
                continue
            if case["id"] in cases:
                case = {"id": path, "broken": "another case has the id %s, too" % case["id"]}
            cases[case["id"]] = case
    return cases


def begin(case, engine):
    """What plays a case, or how it came out already."""
    if "broken" in case:
        return Outcome("fail", case["broken"])
    kind = KINDS.get(case.get("kind"))
    if not kind:
        return Outcome("fail", "the kind %r is not known" % case.get("kind"))
    try:
        return kind.player(case, engine)
    except Skip as skip:
        return Outcome("skip", str(skip))
    except Unfit as unfit:
        return Outcome("fail", str(unfit))
    except Exception as error:  # a case of another form must not stop the others
        return Outcome("fail", "the adapter can't read it: %s: %s" % (type(error).__name__, error))


def finish(player, plays):
    """The outcome, or None where another round is wanted."""
    try:
        return player.judge(plays)
    except Unfit as unfit:
        return Outcome("fail", str(unfit))
    except Exception as error:
        return Outcome("fail", "the adapter can't judge: %s: %s" % (type(error).__name__, error))


def play_all(cases, engine, workers):
    """Outcomes by id. A case may want several rounds: what comes out of one tells the next."""
    outcomes, players = {}, {}
    for name, case in cases.items():
        one = begin(case, engine)
        (outcomes if isinstance(one, Outcome) else players)[name] = one
    for _ in range(ROUNDS):
        wanted = {}
        for name, player in players.items():
            for number, scenario in enumerate(player.scenarios()):
                wanted[(name, number)] = scenario
        plays = engine.play(wanted, workers)
        for name in list(players):
            mine = [plays[key] for key in sorted(plays) if key[0] == name]
            outcome = finish(players[name], mine)
            if outcome:
                outcomes[name] = outcome
                del players[name]
    for name in players:
        outcomes[name] = Outcome("fail", "it wants ever more rounds")
    return {name: outcomes[name] for name in cases}


def show(outcomes, args):
    """Prints results."""
    totals = {"pass": 0, "fail": 0, "skip": 0}
    advisory = [0, 0]
    for outcome in outcomes.values():
        totals[outcome.result] += 1
        advisory[0] += outcome.advisory_met
        advisory[1] += len(outcome.advisory)
    line = "%(pass)d passed, %(fail)d failed, %(skip)d skipped" % totals
    if args.json:
        cases = {name: outcome.json() for name, outcome in outcomes.items()}
        figures = {"as_expected": advisory[0], "others": advisory[1]}
        print(json.dumps({"cases": cases, "totals": totals, "advisory": figures}, indent=1))
        return totals
    for name, outcome in outcomes.items():
        print("%s: %s" % (name, outcome))
        if args.advisory:
            for text in outcome.advisory:
                print("    advisory: %s" % text)
    print("advisory figures: %d as expected, %d others" % tuple(advisory))
    print(line)
    return totals


def main(argv):
    """The exit status: 0 where nothing failed."""
    args = parse(argv)
    try:
        re.compile(args.filter)
    except re.error as error:
        sys.stderr.write("run: --filter is no regular expression: %s\n" % error)
        return 64
    cases = read_cases(args.cases, args.filter)
    if not cases:
        sys.stderr.write("run: there are no such cases in %s\n" % args.cases)
        return 64
    with Engine(args.build, args.keep) as engine:
        totals = show(play_all(cases, engine, args.workers), args)
    return 1 if totals["fail"] else 0
