#!/usr/bin/env python3
"""Broken .tflite files given to whit and to rivals: how many of them end the process.

    crashes.py WHIT MODEL.tflite [MODEL.tflite ...] [--mutants N] [--seed S]

A mutant of a model differs outside of its weights (bytes of weights change numbers, nothing else): half of them in one or
two small 32-bit numbers (shapes, indices, axes, lengths, options), the others in 1 to 8 bytes, or they end too early. All
runtimes get the same mutants. Each is loaded and run once on zeros in a process of its own:
rivals in a fork after the import of their module, whit as `whit bench`. A process that a signal ends is a crash, one that
takes more than 10 s hangs; an error message is what we want, a result is fine too. Which rivals there are: those that this
Python can import (packages ai-edge-litert, tflite-micro)."""
import argparse
import os
import pathlib
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile

import numpy as np

SECONDS, MEMORY = 10, 8 << 30


def ranges_of_buffers(data):
    """(begin, end) of the weights' bytes: Model.buffers is field 4, Buffer.data field 0 (TFLite's schema)."""
    def u32(at):
        return struct.unpack_from("<I", data, at)[0]

    def field(table, index):
        vtable = table - struct.unpack_from("<i", data, table)[0]
        if 4 + 2 * index >= struct.unpack_from("<H", data, vtable)[0]:
            return 0
        offset = struct.unpack_from("<H", data, vtable + 4 + 2 * index)[0]
        return table + offset if offset else 0

    buffers = field(u32(0), 4)
    vector = buffers + u32(buffers)
    ranges = []
    for i in range(u32(vector)):
        element = vector + 4 + 4 * i
        at = field(element + u32(element), 0)
        if at:
            begin = at + u32(at)
            ranges.append((begin + 4, begin + 4 + u32(begin)))
    return ranges


def mutants(data, count, seed):
    outside = np.ones(len(data), bool)
    for begin, end in ranges_of_buffers(data):
        if end - begin > 64:  # small ones are shapes and axes
            outside[begin:end] = False
    places = np.flatnonzero(outside)
    words = np.frombuffer(data[:len(data) // 4 * 4], "<i4")
    numbers = [4 * i for i in np.flatnonzero((words >= -1) & (words <= 4096)) if outside[4 * i:4 * i + 4].all()]
    rng = random.Random(seed)
    for i in range(count):
        mutant = bytearray(data)
        if i % 2 == 0:
            for _ in range(rng.randint(1, 2)):
                value = rng.choice((-1, 0, 1, 2, 7, 255, 65536, 2**31 - 1, -2**31, rng.randrange(-5, 5000)))
                struct.pack_into("<i", mutant, rng.choice(numbers), value)
        elif i % 20 == 1:
            del mutant[rng.randrange(len(data)):]
        else:
            for _ in range(rng.randint(1, 8)):
                mutant[places[rng.randrange(len(places))]] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        yield bytes(mutant)


def litert():
    from ai_edge_litert.interpreter import Interpreter

    def run(content):
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
        interpreter.invoke()
        for detail in interpreter.get_output_details():
            interpreter.get_tensor(detail["index"])
    return run


def tflite_micro():
    from tflite_micro import runtime

    def run(content):
        interpreter = runtime.Interpreter.from_bytes(content, arena_size=16 << 20)
        detail = interpreter.get_input_details(0)
        interpreter.set_input(np.zeros(detail["shape"], detail["dtype"]), 0)
        interpreter.invoke()
        interpreter.get_output(0)
    return run


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def forked(run, content):
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1), os.dup2(null, 2)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        limits()
        try:
            run(content)
        except Exception:  # pylint: disable=broad-except  any message is a refusal
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return "hangs" if os.WTERMSIG(status) == signal.SIGALRM else "crashes"
    return "runs" if os.WEXITSTATUS(status) == 0 else "refused"


def whit_command(whit, scratch, content):
    scratch.write_bytes(content)
    try:
        done = subprocess.run([whit, "bench", scratch, "--runs", "1", "--warmup", "0"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=SECONDS, preexec_fn=limits)
    except subprocess.TimeoutExpired:
        return "hangs"
    return "crashes" if done.returncode < 0 else "runs" if done.returncode == 0 else "refused"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("whit")
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--mutants", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    runtimes = {}
    scratch = pathlib.Path(tempfile.mkdtemp()) / "mutant.tflite"
    runtimes["whit"] = lambda content: whit_command(args.whit, scratch, content)
    for name, load in (("LiteRT", litert), ("tflite-micro", tflite_micro)):
        try:
            run = load()
        except ImportError as error:
            print("SKIPPED: %s: %s" % (name, error))
            continue
        runtimes[name] = lambda content, run=run: forked(run, content)
    print("%d mutants a model, seed %d" % (args.mutants, args.seed))
    print("%-34s %-14s %8s %8s %8s %8s" % ("model", "runtime", "crashes", "hangs", "refused", "runs"))
    bad = 0
    for model in args.models:
        data = model.read_bytes()
        for name, run in runtimes.items():
            counts = dict.fromkeys(("crashes", "hangs", "refused", "runs"), 0)
            for mutant in mutants(data, args.mutants, args.seed):
                counts[run(mutant)] += 1
            print("%-34s %-14s %8d %8d %8d %8d" % (model.name, name, *counts.values()), flush=True)
            bad += counts["crashes"] + counts["hangs"] if name == "whit" else 0
    scratch.unlink(missing_ok=True), scratch.parent.rmdir()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
