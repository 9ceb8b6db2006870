#!/usr/bin/env python3
"""Instructions of whole models on an emulated ARM CPU, beside TensorFlow Lite's with its packaged XNNPACK. One thread, noise.

Both programs run in qemu-user with a plugin that counts (bench/instructions/plugin.c). A count is the difference of a run of 2 and
one of 12 inferences, over 10, so that loading and planning cancel; of small models 102, as what a program does beside them varies.
Instructions are no time: loads wait, and one product instruction is as good as another here. Where the same multiplications take fewer, though, fewer have to be fetched and issued.

XNNPACK asks /proc/cpuinfo which CPU it is; the emulator shows the PC's, so a file of that name lies in the root that it gets.
Needs g++-aarch64-linux-gnu's build (./run cross-test or ./run pi), qemu-user, and a network the first time; says what is missing."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
HERE, BUILD = ROOT / "bench" / "instructions", ROOT / "build"
RIVAL = BUILD / "instructions-arm64"  # a system with Python and the rival's packages
OURS = BUILD / "instructions-whit"
WHEELS = ["tflite-runtime==2.14.0", "numpy<2"]
# Emulated CPU: its part number (ARM's Main ID Register) and what Linux calls its features.
CPUS = {"cortex-a53": ("0xd03", "fp asimd crc32 cpuid"), "cortex-a72": ("0xd08", "fp asimd crc32 cpuid"),
        "cortex-a76": ("0xd0b", "fp asimd crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp")}
FEW, MANY = 2, 12
MANY_OF_SMALL, SMALL_MACS = 102, 50e6


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, **options)


def fetch_rival():
    if (RIVAL / "packages").is_dir():
        return
    run("sh", ROOT / "cmake/sysroot.sh", "arm64", RIVAL, "python3-minimal", "libpython3-stdlib", "libstdc++6")
    with tempfile.TemporaryDirectory() as wheels:
        platforms = [f"--platform=manylinux{v}_aarch64" for v in ("_2_34", "_2_28", "_2_17", "2014")]
        run(sys.executable, "-m", "pip", "-q", "download", "--no-deps", "--only-binary=:all:", "--python-version=3.11", *platforms, "-d", wheels, *WHEELS)
        for wheel in pathlib.Path(wheels).glob("*.whl"):
            run(sys.executable, "-m", "zipfile", "-e", wheel, RIVAL / "part")
    (RIVAL / "part").rename(RIVAL / "packages")


def pretend(cpu):
    """Roots with the /proc/cpuinfo of a board with four of these. That of whit is links into its sysroot, which the tests use too."""
    part, features = CPUS[cpu]
    text = "".join(f"processor\t: {i}\nFeatures\t: {features}\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\n"
                   f"CPU part\t: {part}\nCPU revision\t: 3\n\n" for i in range(4))
    OURS.mkdir(exist_ok=True)
    for entry in (BUILD / "sysroot-arm64").iterdir():
        if not (OURS / entry.name).is_symlink():
            (OURS / entry.name).symlink_to(entry)
    for root in (RIVAL, OURS):
        (root / "proc").mkdir(exist_ok=True)
        (root / "proc/cpuinfo").write_text(text)


def instructions(plugin, cpu, root, command):
    with tempfile.NamedTemporaryFile() as out:
        run("qemu-aarch64", "-cpu", cpu, "-plugin", f"{plugin},out={out.name}", "-L", root, *command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return int(pathlib.Path(out.name).read_text())


def per_inference(plugin, cpu, root, command, most):
    few, many = (instructions(plugin, cpu, root, [*command, runs]) for runs in (FEW, most))
    return (many - few) / (most - FEW)


def measure(model, cpu, plugin):
    whit = BUILD / "aarch64/tools/whit/whit"
    told = json.loads(run("qemu-aarch64", "-cpu", cpu, "-L", OURS, whit, "plan", model, "--json", capture_output=True, text=True).stdout)
    macs = sum(s["macs"] for s in told["steps"])
    most = MANY_OF_SMALL if macs < SMALL_MACS else MANY
    ours = per_inference(plugin, cpu, OURS, [whit, "bench", model, "--warmup", "0", "--runs"], most)
    theirs = per_inference(plugin, cpu, RIVAL, [RIVAL / "usr/bin/python3.11", HERE / "tflite.py", RIVAL / "packages", model], most)
    return {"model": model.stem, "cpu": cpu, "macs": macs, "whit": ours, "tflite": theirs, "tflite_over_whit": theirs / ours}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="Example:\n  bench/instructions.py --cpu cortex-a76 model.tflite\n\n" + "\n".join(__doc__.splitlines()[2:]))
    parser.add_argument("models", nargs="+", type=pathlib.Path, metavar="MODEL.tflite")
    parser.add_argument("--cpu", choices=CPUS, default="cortex-a72")
    parser.add_argument("--json", action="store_true", help="one line of JSON a model")
    args = parser.parse_args()
    if shutil.which("qemu-aarch64") is None:
        sys.exit("instructions.py: needs qemu-aarch64 (Debian's qemu-user; the static one takes no plugins)")
    if not (BUILD / "aarch64/tools/whit/whit").is_file():
        sys.exit("instructions.py: needs whit for ARM: ./run cross-test or ./run pi builds it")
    fetch_rival()
    pretend(args.cpu)
    with tempfile.TemporaryDirectory() as scratch:
        plugin = pathlib.Path(scratch) / "libcount.so"
        run("cc", "-O2", "-shared", "-fPIC", "-o", plugin, HERE / "plugin.c")
        if not args.json:
            print(f"{args.cpu}, million instructions an inference\n{'model':36} {'MMAC':>7} {'whit':>8} {'TFLite':>8} {'ratio':>6}")
        for model in args.models:
            r = measure(model, args.cpu, plugin)
            print(json.dumps(r) if args.json else f"{r['model']:36} {r['macs'] / 1e6:7.2f} {r['whit'] / 1e6:8.2f} {r['tflite'] / 1e6:8.2f} {r['tflite_over_whit']:6.2f}", flush=True)


if __name__ == "__main__":
    main()
