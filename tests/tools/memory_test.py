#!/usr/bin/env python3
"""What a model costs in RAM: the sample's peak above an empty process, weights apart, which are pages of the file, and that
two processes share those.

    memory_test.py WHIT CLASSIFY PEAK_MEMORY EXAMPLES_CLASSIFY SHARED

Prints its figures. The demo's model always; MobileNetV2 of SHARED/data where it is there."""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

MIB = 1024 * 1024
WHIT, CLASSIFY, PEAK, EXAMPLES, SHARED = (pathlib.Path(word).resolve() for word in sys.argv[1:6])
failures = 0


def expect(true, what):
    global failures
    print("   ok" if true else "FAILED", what)
    failures += not true


def peak(*command):
    """(bytes of anonymous memory, exit status)"""
    done = subprocess.run([PEAK, *command], stdout=subprocess.PIPE)
    if done.returncode == 77:
        print("SKIPPED: this system does not let a process be traced")
        sys.exit(77)
    kib, status = map(int, done.stdout.split())
    return kib * 1024, status


def of_mapping(pid, path):
    """What /proc says of a process's mapping of a file, in bytes."""
    sums, inside = {}, False
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            inside = line.endswith(str(path))
        elif inside and len(words) == 3 and words[2] == "kB":
            sums[words[0][:-1]] = sums.get(words[0][:-1], 0) + int(words[1]) * 1024
    return sums


def check_peak(model, picture):
    info = json.loads(subprocess.run([WHIT, "info", model, "--json"], stdout=subprocess.PIPE, check=True).stdout)
    empty, _ = peak(CLASSIFY)
    full, status = peak(CLASSIFY, model, picture)
    expect(status == 0, f"the sample runs {model.name}")
    above = full - empty
    print(f"      {model.name}: peak of anonymous memory {full / MIB:.2f} MiB, of an empty process {empty / MIB:.2f}; arena "
          f"{info['peak_arena_bytes'] / MIB:.2f}, inputs and outputs {info['interface_bytes'] / MIB:.2f}")
    expect(above <= info["peak_arena_bytes"] + MIB, f"above the empty process {above / MIB:.2f} MiB, at most "
           f"{info['peak_arena_bytes'] / MIB + 1:.2f} (arena + 1)")


def check_sharing(model):
    running = [subprocess.Popen([WHIT, "bench", model, "--runs", "1000000"], stdout=subprocess.DEVNULL) for _ in range(2)]
    try:
        time.sleep(1)
        for process in running:
            sizes = of_mapping(process.pid, model)
            print(f"      {model.name} in process {process.pid}: resident {sizes['Rss'] / MIB:.2f} MiB, its share (PSS) "
                  f"{sizes['Pss'] / MIB:.2f} MiB, private dirty {sizes['Private_Dirty']}")
            expect(sizes["Private_Dirty"] == 0 and sizes.get("Anonymous", 0) == 0, "no page of the file became private")
            expect(sizes["Pss"] <= 0.6 * sizes["Rss"], "two processes share the pages")
    finally:
        for process in running:
            process.kill()
            process.wait()


def main():
    cases = [(EXAMPLES / "digits.tflite", EXAMPLES / "pictures" / "digit_7_a.png")]
    real = SHARED / "data" / "models" / "mobilenet_v2_1.0_224_quant.tflite"
    if real.exists():
        cases.append((real, SHARED / "data" / "images" / "cheeseburger.jpg"))
    else:
        print("SKIPPED: MobileNetV2, no", real)
    with tempfile.TemporaryDirectory() as folder:
        for source, picture in cases:
            model = pathlib.Path(folder) / (source.stem + ".whit")
            subprocess.run([WHIT, "import", source, "-o", model], check=True, stdout=subprocess.DEVNULL)
            subprocess.run(["sync", model], check=True)
            check_peak(model, picture)
            check_sharing(model)
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
