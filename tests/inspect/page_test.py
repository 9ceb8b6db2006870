#!/usr/bin/env python3
"""The page of `whit inspect --html` in a browser, at two widths, with names that would like to be scripts.

  page_test.py WHIT

Exit status 77: skipped, there is no chromium."""
import array
import html
import json
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile

WIDTHS = (1280, 390)
HOSTILE = [
    "<script>window.pwned=1</script>",
    "</script><script>window.pwned=1</script>",
    "\"><img src=x onerror=\"window.pwned=1\">",
    "<!--<script>",
    "&lt;b class=evil&gt;",
    "<b class=evil>",
    "'];window.pwned=1;//",
    "@DATA@ @SCRIPT@ \u2028 ${window.pwned=1} \\u003c",
    "x" * 300,
]
CHECKS = pathlib.Path(__file__).resolve().parent / "page_checks.js"


def safetensors(path, tensors):
    header, data = {}, b""
    for name, (kind, shape, values) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def tensors():
    noise = random.Random(1)
    floats = lambda n: array.array("f", (noise.gauss(0, 1) for _ in range(n)))
    dead = floats(16 * 32)
    dead[32:64] = dead[96:128] = array.array("f", [0.0] * 32)
    all_of = {"dead": ("F32", [16, 32], dead.tobytes()), "bias": ("F32", [16], floats(16).tobytes()),
              "broken": ("F32", [2, 2], array.array("f", [1, float("nan"), 2, 3]).tobytes()),
              "codes": ("I8", [16, 64], bytes(noise.randrange(256) for _ in range(1024))),
              "empty": ("F32", [0, 3], b"")}
    for name in HOSTILE:
        all_of[name] = ("F32", [4, 5], floats(20).tobytes())
    return all_of


def browser():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return name
    return None


def main():
    chromium = browser()
    if chromium is None:
        print("page: skipped, there is no chromium")
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        weights, page = folder / "w.safetensors", folder / "page.html"
        safetensors(weights, tensors())
        subprocess.run([sys.argv[1], "inspect", weights, "--html", page], check=True, stdout=subprocess.DEVNULL)
        text = page.read_text(encoding="utf-8")
        wrong = [f"the page names another file: {found}" for found in re.findall(r"(?:src|href|url\()\s*=?\s*[\"']?https?:[^\"' ]*", text)]
        page.write_text(text.replace("</body>", f"<script>{CHECKS.read_text()}</script></body>"), encoding="utf-8")
        for width in WIDTHS:
            frame = folder / "frame.html"
            frame.write_text(f"""<body><iframe src="page.html" style="border:0;width:{width}px;height:900px"></iframe>
<script>addEventListener("message", (event) => {{ document.body.dataset.wrong = JSON.stringify(event.data); }});</script>""")
            done = subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000",
                                   f"--user-data-dir={folder}/profile", "--dump-dom", f"file://{frame}"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=110, encoding="utf-8")
            found = re.search(r'data-wrong="([^"]*)"', done.stdout)
            lines = json.loads(html.unescape(found.group(1))) if found else ["the checks did not come to an end"]
            wrong += [f"{width} pixels: {line}" for line in lines]
    for line in wrong:
        print(line)
    print(f"page: {len(wrong)} wrong at {' and '.join(map(str, WIDTHS))} pixels")
    return 1 if wrong else 0


sys.exit(main())
