#!/usr/bin/env python3
"""Decodes an NVC file in plain Python; written from the bitstream document alone.

usage: decode.py [--trace] FILE.nvc [OUTPUT.raw]

Prints MD5=... of the raw planar frames (section 5.6); with --trace before it the MD5 of each tensor, of the latents and of the activations
of each node, for a decoder that goes wrong somewhere: values in their order, two bytes each, little endian. Section numbers in the comments are the document's. It has no
limits on size (section 7) and is slow: a reference to compare with, not a player.
"""
import hashlib
import re
import sys
import zlib
from pathlib import Path

import pyramid
from basics import Fields, Invalid, Unsupported, need, product
from entropy import Network, RangeDecoder, latents
from graphs import architecture
from synthesis import Functions, pictures


# 2 -- container

MAGIC = bytes.fromhex("8b4e56430d0a1a0a")


def packets(data):
    """Yields offset, tag and payload."""
    need(data[:8] == MAGIC, "magic")
    at = 8
    while at < len(data):
        need(len(data) - at >= 5, "truncated packet")
        tag, length = data[at:at + 1], int.from_bytes(data[at + 1:at + 5], "little")
        need(tag.isalpha(), "tag")
        end = at + 5 + length
        need(len(data) >= end + 4, "truncated packet")
        if tag.isupper() and tag not in b"HSI":
            raise Unsupported(f"packet {tag}")
        need(zlib.crc32(data[at:end]) == int.from_bytes(data[end:end + 4], "little"), "CRC-32")
        yield at, tag, data[at + 5:end]
        at = end + 4


# 3 -- headers

class Sequence:
    """Sequence header (3.1)."""

    def __init__(self, payload):
        f = Fields(payload)
        version = f.u8(1, 255)
        if version != 1:
            raise Unsupported(f"format version {version}")
        self.width, self.height = f.varint(1, 65535), f.varint(1, 65535)
        self.chroma, self.depth = f.u8(0, 5), f.u8(8, 10)
        need(self.depth != 9, "bit depth")
        f.varint(0, 2**32 - 1), f.varint(0, 2**32 - 1)  # frame rate
        f.varint(0, 65535), f.varint(0, 65535)  # sample aspect ratio
        f.u8(0, 255), f.u8(0, 255), f.u8(0, 255), f.u8(0, 2)  # colour
        # what is missing is 0, what is above 6 is unspecified
        location = f.u8(0, 255) if f.left() else 0
        self.chroma_location = location if location <= 6 else 0
        self.light = None

    def planes(self):
        """Width and height of each plane."""
        full, half = (self.width, self.height), ((self.width + 1) >> 1, (self.height + 1) >> 1)
        return [full, half, half] if self.chroma == 1 else [full] * {0: 1, 4: 2, 5: 4}.get(self.chroma, 3)

    def alpha(self):
        return self.chroma >= 4


def light(payload):
    """Mastering display and content light level (3.8), each None if absent."""
    f = Fields(payload)
    mastering, content = f.u8(0, 1), f.u8(0, 1)
    display = [f.varint(0, 65535) for _ in range(8)] + [f.varint(0, 2**32 - 1) for _ in range(2)] if mastering else None
    return display, [f.varint(0, 65535) for _ in range(2)] if content else None


def section(payload, seq, first_frame, functions):
    """Yields the raw frames of a section (3.2, 3.3)."""
    f = Fields(payload)
    need(f.varint(0, 2**31 - 1) == first_frame, "first frame of a section")
    frames, groups = f.varint(1, 0xFFFFFF), f.varint(1, 65535)
    todo = []
    for _ in range(groups):
        count, arch = f.varint(1, 65535), f.u8(1, 255)
        weights_bytes, latents_bytes = f.varint(0, 2**31 - 1), f.varint(0, 2**31 - 1)
        graph = architecture(arch, f, seq, count)
        need(arch == 6 or not seq.alpha(), "alpha without a pyramid")
        need(graph.has_latents() or latents_bytes == 0, "latents of an architecture without")
        values = sum(map(product, graph.tensors)) + graph.latent_len() * count * (arch != 6)
        need(values <= 8192 * (weights_bytes + latents_bytes + 8), "too many values")
        todo.append((count, arch, graph, f.take(weights_bytes), f.take(latents_bytes)))
    need(f.left() == 0, "bytes after the last group")
    need(sum(g[0] for g in todo) == frames, "frames of a section")
    yield frames
    previous = None
    for count, arch, graph, weights, coded in todo:
        previous = net = Network(graph, weights, arch, previous, functions.tables)
        passes = [None] * (count // graph.frames_a_pass)
        if arch == 6:
            passes = list(pyramid.latents(graph.nodes[0][3], net, count, RangeDecoder(coded), functions.tables))
        elif graph.has_latents():
            passes = list(latents(graph.nodes[0][2], count, coded, arch == 5, functions.tables["TAIL"]))
        if functions.trace:
            functions.trace(f"group of arch {arch}, {count} frames", None)
            for i, (values, (m, e), shape) in enumerate(zip(net.tensors, net.steps, graph.tensors)):
                functions.trace(f"tensor {i} {shape}, step {m} * 2^-{e}", values)
        for t, q in enumerate(passes):
            if functions.trace and q is not None:
                functions.trace(f"pass {t} latents", q)
            yield from pictures(graph, net, t, q, seq, functions)


def trace(what, values):
    """A line with the MD5 of `values`."""
    sum = hashlib.md5(b"".join(v.to_bytes(2, "little", signed=True) for v in values)).hexdigest() if values is not None else ""
    print(f"{what} {sum}".rstrip())


def decode(data, tables, trace=None):
    """Yields the raw bytes of every frame."""
    stream = packets(data)
    first = next(stream, (0, b"", b""))
    need(first[1] == b"H", "first packet is not H")
    seq, sections, frames, ended = Sequence(first[2]), [], 0, False
    for offset, tag, payload in stream:
        need(not ended, "data after the index")
        if tag == b"S":
            content = section(payload, seq, frames, Functions(tables, trace))
            sections.append((next(content), len(payload) + 9))
            frames += sections[-1][0]
            yield from content
        elif tag == b"I":
            f, entries = Fields(payload), []
            while f.left() > 8:
                entries.append((f.varint(1, 0xFFFFFF), f.varint(1, 2**32 - 1)))
            need(int.from_bytes(f.take(8), "little") == offset, "index offset")
            need(entries == sections, "index entries")
            ended = True
        elif tag == b"l":
            need(not sections and seq.light is None, "place or number of l packets")
            seq.light = light(payload)
        else:
            need(tag.islower(), f"second {tag}")
    need(ended, "no index")


def annex_a():
    """The tables of annex A, from the document itself."""
    text = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
    tables = {}
    for name, n in (("BUMP", 513), ("SWISH_BUMP", 1025), ("SINE", 257), ("TANH", 513), ("FRAME_TURNS", 5), ("TAIL", 193),
                    ("HALF_TAIL", 534), ("RATE", 321)):
        body = re.search(rf"<!-- {name} -->\n```\n(.*?)```", text, re.S).group(1)
        tables[name] = [int(v) for v in body.split()]
        assert len(tables[name]) == n
    return tables


def main():
    args = sys.argv[1:]
    tracing = args[:1] == ["--trace"]
    args = args[tracing:]
    if len(args) not in (1, 2):
        sys.exit(__doc__)
    md5, out = hashlib.md5(), open(args[1], "wb") if len(args) == 2 else None
    try:
        for raw in decode(Path(args[0]).read_bytes(), annex_a(), trace if tracing else None):
            md5.update(raw)
            if out:
                out.write(raw)
    except Invalid as e:
        print(f"invalid file: {e}", file=sys.stderr)
        sys.exit(4)
    except Unsupported as e:
        print(f"unsupported: {e}", file=sys.stderr)
        sys.exit(5)
    print(f"MD5={md5.hexdigest()}")


if __name__ == "__main__":
    main()
