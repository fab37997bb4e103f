"""Runs the engine: scenarios through `weir test --json`, many per process; unit calls; commands."""
import concurrent.futures
import json
import os
import shutil
import subprocess
import tempfile

PER_PROCESS = 16
SECONDS = 400 # patience: sanitized builds on a busy machine


def find_build(given):
    """The build tree: as told, by make, or near this file."""
    here = os.path.dirname(os.path.abspath(__file__))
    top = os.path.dirname(os.path.dirname(os.path.dirname(here)))
    candidates = [given, os.environ.get("top_builddir"), os.path.join(top, "build", "gcc"), top]
    for folder in candidates:
        if folder and os.path.exists(os.path.join(folder, "tools", "weir", "weir")):
            return os.path.abspath(folder)
    raise SystemExit("run: no build with tools/weir/weir is found; name it with --build")


def module_path(build):
    """Folders of the modules that were built."""
    folders = []
    for below in ("plugins", os.path.join("tests", "conformance")):
        for directory, _, _ in os.walk(os.path.join(build, below)):
            if os.path.basename(directory) == ".libs":
                folders.append(directory)
    return ":".join(sorted(folders))


class Engine:
    """The programs of one build tree, and a folder for files."""

    def __init__(self, build, keep):
        self.build = find_build(build)
        self.weir = os.path.join(self.build, "tools", "weir", "weir")
        self.keep = keep
        self.folder = os.path.abspath(keep) if keep else tempfile.mkdtemp(prefix="conformance-")
        self.environment = dict(os.environ, WEIR_PLUGIN_PATH=module_path(self.build),
                                XDG_CACHE_HOME=os.path.join(self.folder, ".cache"))

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        return self

    def __exit__(self, *unused):
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, key, scenario):
        """Files of a scenario and its job; the path of the scenario."""
        name, number = key
        parts = [part for part in name.split("/") if part.strip(".")]  # never above the folder
        stem = os.path.join(self.folder, *parts) + (".%d" % number if number else "")
        os.makedirs(os.path.dirname(stem), exist_ok=True)
        with open(stem + ".job.json", "w", encoding="utf-8") as file:
            json.dump(scenario["job"], file, indent=1)
        scenario = dict(scenario, job=os.path.basename(stem) + ".job.json")
        with open(stem + ".json", "w", encoding="utf-8") as file:
            json.dump(scenario, file, indent=1)
        return stem + ".json"

    def play(self, scenarios, workers):
        """Plays by key. What ends a process or takes too long is played once more alone."""
        paths = {self.write(key, scenario): key for key, scenario in scenarios.items()}
        files = list(paths)
        plays = {}
        groups = [files[at:at + PER_PROCESS] for at in range(0, len(files), PER_PROCESS)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
            for part in pool.map(lambda group: self.play_files(group, workers), groups):
                plays.update(part)
            alone = [[file] for file in files if file not in plays]
            for part in pool.map(lambda group: self.play_files(group, workers), alone):
                plays.update(part)
        for file in files:
            plays.setdefault(file, {"state": "crashed", "passed": False, "sinks": {},
                                    "batches": [], "why": "weir test died or took too long"})
        return {paths[file]: plays[file] for file in files}

    def play_files(self, files, workers):
        """One process; the plays that it finished. Without a number of workers the scenario says how many
        there are; then a play is the first one, and `also` holds the others."""
        command = [self.weir, "test", "--json"]
        command += ["--workers", str(workers)] if workers else []
        command += files
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.environment) as process:
            try:
                out, _ = process.communicate(timeout=SECONDS if len(files) > 1 else SECONDS / 4)
            except subprocess.TimeoutExpired:
                process.kill()
                out, _ = process.communicate()
        plays = {}
        for line in out.decode("utf-8", "replace").splitlines():
            try:
                play = json.loads(line)
            except ValueError:
                continue
            if not isinstance(play, dict) or not play.get("file"):
                continue
            if play["file"] in plays:
                plays[play["file"]].setdefault("also", []).append(play)
            else:
                plays[play["file"]] = play
        return plays

    def call(self, arguments, text=None, seconds=SECONDS):
        """A command of weir: (exit status, output, errors)."""
        done = subprocess.run([self.weir] + arguments, input=text, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds,
                              check=False, encoding="utf-8", cwd=self.folder)
        return done.returncode, done.stdout, done.stderr

    def unit(self, request):
        """One call of the unit program: its answer."""
        program = os.path.join(self.build, "tests", "conformance", "unit")
        done = subprocess.run([program], input=json.dumps(request) + "\n", check=False,
                              stdout=subprocess.PIPE, encoding="utf-8", timeout=SECONDS,
                              env=self.environment)
        return json.loads(done.stdout)
