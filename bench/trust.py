#!/usr/bin/env python3
"""What trust costs: hash tree and sealing of a model beside libsodium's own rates on this machine, one thread, interleaved minima.

    bench/trust.py --whit build/release/tools/whit/whit mobilenet_v2_1.0_224_quant.tflite"""
import argparse
import ctypes
import json
import os
import pathlib
import subprocess
import tempfile
import time

PAGE = 16384


def sodium_rates():
    """Bytes a second of BLAKE2b-256 and of opening XChaCha20-Poly1305, page by page, straight from the library."""
    sodium = ctypes.CDLL("libsodium.so.23")
    sodium.sodium_init()
    data = ctypes.create_string_buffer(os.urandom(PAGE * 64))
    digest, tag, key, nonce = (ctypes.create_string_buffer(n) for n in (32, 16, 32, 24))
    at = [ctypes.byref(data, i * PAGE) for i in range(64)]
    plain, sealed = ctypes.create_string_buffer(PAGE), ctypes.create_string_buffer(PAGE)
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt_detached(sealed, tag, None, data, ctypes.c_ulonglong(PAGE), None, ctypes.c_ulonglong(0), None,
                                                               nonce, key)

    def rate(once):
        best = 1e9
        for _ in range(40):
            start = time.perf_counter()
            for i in range(64):
                once(i)
            best = min(best, time.perf_counter() - start)
        return 64 * PAGE / best

    size, none = ctypes.c_ulonglong(PAGE), ctypes.c_ulonglong(0)
    return (rate(lambda i: sodium.crypto_generichash(digest, ctypes.c_size_t(32), at[i], size, None, ctypes.c_size_t(0))),
            rate(lambda i: sodium.crypto_aead_xchacha20poly1305_ietf_decrypt_detached(plain, None, sealed, size, tag, None, none, nonce, key)))


def call(*words):
    return subprocess.run([str(w) for w in words], check=True, capture_output=True, encoding="utf-8").stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whit", required=True)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("model", type=pathlib.Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        plain, sealed, key = folder / "plain.whit", folder / "sealed.whit", folder / "key"
        call(args.whit, "import", args.model, "-o", plain)
        call(args.whit, "keygen", key, "--seal")
        call(args.whit, "seal", plain, "--key", key, "-o", sealed)
        cases = {"off": [plain, "--verify", "off"], "lazy": [plain], "sealed": [sealed, "--key", key], "sealed, window 1 GB": [sealed, "--key", key, "--window", "1GB"]}
        best = {name: {"load_ms": 1e9, "first_ms": 1e9, "ms": 1e9} for name in cases}
        verify = 0
        for _ in range(args.rounds):
            for name, words in cases.items():
                got = json.loads(call(args.whit, "bench", *words, "--xnnpack", "off", "--runs", 20, "--warmup", 1, "--json"))
                got["ms"] = min(got["ms"])
                best[name] = {k: min(v, got[k]) for k, v in best[name].items()}
            checked = json.loads(call(args.whit, "verify", plain, "--json"))
            verify = max(verify, checked["bytes_checked"] / checked["seconds"])
        hash_rate, open_rate = sodium_rates()
        weights = json.loads(call(args.whit, "info", plain, "--json"))["parameter_bytes"]
    print(f"{args.model.stem}: {weights / 1e6:.2f} MB of weights; clock {got['clock_ghz']:.2f} GHz, tier {got['isa']}")
    print(f"libsodium, one thread, pages of 16 KiB: BLAKE2b-256 {hash_rate / 1e6:.0f} MB/s, opening XChaCha20-Poly1305 {open_rate / 1e6:.0f} MB/s")
    print(f"whit verify, {min(os.cpu_count(), 8)} threads: {verify / 1e6:.0f} MB/s, {verify / hash_rate:.2f} of libsodium on one")
    for name, b in best.items():
        print(f"{name:20} load {b['load_ms']:6.2f} ms, first run {b['first_ms']:6.2f} ms, run {b['ms']:6.2f} ms")
    off, lazy, shut = best["off"], best["lazy"], best["sealed"]
    print(f"lazy: load +{lazy['load_ms'] - off['load_ms']:.2f} ms (at most 1), first run +{lazy['first_ms'] - off['first_ms']:.2f} ms (weights over the hash rate: "
          f"{weights / hash_rate * 1e3:.2f})")
    print(f"sealed: run +{shut['ms'] - off['ms']:.2f} ms (at most 1.1 x weights over the rate of opening: {1.1 * weights / open_rate * 1e3:.2f})")


if __name__ == "__main__":
    main()
