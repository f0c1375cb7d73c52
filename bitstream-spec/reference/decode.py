#!/usr/bin/env python3
"""Decodes an NVC file in plain Python; written from the bitstream document alone.

usage: decode.py FILE.nvc [OUTPUT.raw]

Prints MD5=... of the raw planar frames (section 5.6). Section numbers in the comments are the document's. It has no
limits on size (section 7) and is slow: a reference to compare with, not a player.
"""
import hashlib
import re
import sys
import zlib
from pathlib import Path


class Invalid(Exception):
    """The file breaks a rule of the format."""


class Unsupported(Exception):
    """The file may be valid, but not for a decoder of this version."""


def need(condition, what):
    if not condition:
        raise Invalid(what)


# 1 -- conventions: Python's >> rounds down, its integers are unbounded

def rshift(v, n):
    return v if n == 0 else (v + (1 << (n - 1))) >> n


def sat(v):
    return max(-32767, min(32767, v))


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


class Fields:
    """Reads the fields of a payload (2.3)."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, n):
        need(self.left() >= n, "payload ends early")
        self.at += n
        return self.data[self.at - n:self.at]

    def u8(self, lo, hi):
        return self.ranged(self.take(1)[0], lo, hi)

    def varint(self, lo, hi):
        v = 0
        for i in range(5):
            b = self.take(1)[0]
            v |= (b & 127) << (7 * i)
            if b < 128:
                need((b > 0 or i == 0) and v < 1 << 32, "varint form")
                return self.ranged(v, lo, hi)
        raise Invalid("varint of more than 5 bytes")

    @staticmethod
    def ranged(v, lo, hi):
        need(lo <= v <= hi, f"field is {v}, allowed {lo}..={hi}")
        return v


# 3 -- headers

class Sequence:
    """Sequence header (3.1)."""

    def __init__(self, payload):
        f = Fields(payload)
        version = f.u8(1, 255)
        if version != 1:
            raise Unsupported(f"format version {version}")
        self.width, self.height = f.varint(1, 65535), f.varint(1, 65535)
        self.chroma, self.depth = f.u8(0, 3), f.u8(8, 10)
        need(self.depth != 9, "bit depth")
        f.varint(0, 2**32 - 1), f.varint(0, 2**32 - 1)  # frame rate
        f.varint(0, 65535), f.varint(0, 65535)  # sample aspect ratio
        f.u8(0, 255), f.u8(0, 255), f.u8(0, 255), f.u8(0, 2)  # colour

    def planes(self):
        """Width and height of each plane."""
        full, half = (self.width, self.height), ((self.width + 1) >> 1, (self.height + 1) >> 1)
        return [full] if self.chroma == 0 else [full, half, half] if self.chroma == 1 else [full] * 3


class Hnerv:
    """Fields (3.4) and graph (6.1): nodes are (operation, read, shape, detail), tensors are shapes."""

    def __init__(self, f, seq):
        latent = (f.varint(1, 1024), f.varint(1, 1024), f.varint(1, 1024))
        stem, head = f.varint(1, 4096), f.u8(1, 15)
        stages = [(f.u8(1, 16), f.u8(1, 15), f.varint(1, 4096)) for _ in range(f.u8(1, 12))]
        up = 1
        for stride, kernel, _ in stages:
            up *= stride
            need(kernel % 2 == 1, "even kernel")
        need(head % 2 == 1, "even kernel")
        for cells, size in ((latent[1], seq.height), (latent[2], seq.width)):
            need(cells * up >= size and cells * up - size < max(up, 2), "padded size does not fit")
        need(seq.chroma != 1 or stages[-1][0] == 2, "last stride of 4:2:0")
        self.nodes, self.tensors = [("latent", None, latent, None)], []
        self.conv(0, stem, 1)
        x = before = self.add("gelu", 1, (stem, *latent[1:]))
        for stride, kernel, channels in stages:
            before = x
            _, h, w = self.nodes[x][2]
            self.conv(x, channels * stride * stride, kernel)
            shape = (channels, h * stride, w * stride)
            self.add("shuffle", len(self.nodes) - 1, shape, stride)
            x = self.add("gelu", len(self.nodes) - 1, shape)
        if seq.chroma == 1:
            luma, chroma = self.conv(x, 1, head), self.conv(before, 2, head)
            self.outputs = [(luma, 0), (chroma, 0), (chroma, 1)]
        else:
            planes = len(seq.planes())
            node = self.conv(x, planes, head)
            self.outputs = [(node, c) for c in range(planes)]

    def add(self, op, read, shape, detail=None):
        self.nodes.append((op, read, shape, detail))
        return len(self.nodes) - 1

    def conv(self, read, out, kernel):
        channels, h, w = self.nodes[read][2]
        self.tensors += [(out, channels, kernel, kernel), (out,)]
        return self.add("conv", read, (out, h, w), len(self.tensors) - 2)

    def latent_len(self):
        c, h, w = self.nodes[0][2]
        return c * h * w


def product(shape):
    n = 1
    for d in shape:
        n *= d
    return n


# 4 -- entropy coding

class RangeDecoder:
    def __init__(self, data):
        data = data + bytes(-len(data) % 4)
        self.words = [int.from_bytes(data[i:i + 4], "little") for i in range(0, len(data), 4)]
        self.range, self.n = 2**64 - 1, 2
        self.d = self.word(0) << 32 | self.word(1)

    def word(self, n):
        return self.words[n] if n < len(self.words) else 0

    def bit(self, context):
        """Decodes a bit and adapts its context, a list [fast, slow, seen] (4.1, 4.2)."""
        fast, slow, seen = context
        p1 = max(48, min(65488, (fast + slow) >> 1))
        scale = self.range >> 16
        need(self.d < scale << 16, "range-coder string")
        zero = scale * (65536 - p1)
        bit = self.d >= zero
        if bit:
            self.range, self.d = scale * p1, self.d - zero
        else:
            self.range = zero
        if self.range < 1 << 32:
            self.range <<= 32
            self.d = self.d << 32 | self.word(self.n)
            self.n += 1
        young = (seen + 1).bit_length()
        s, t = min(young, 5), min(young, 7)
        if bit:
            context[0], context[1] = fast + ((65535 - fast) >> s), slow + ((65535 - slow) >> t)
        else:
            context[0], context[1] = fast - (fast >> s), slow - (slow >> t)
        context[2] = min(seen + 1, 127)
        return int(bit)


def fresh():
    return [32768, 32768, 0]


class ValueModel:
    """Contexts by name and indices, made when first used (4.3)."""

    def __init__(self, classes):
        self.classes, self.contexts = classes, {}

    def bit(self, rd, *name):
        if name not in self.contexts:
            self.contexts[name] = fresh()
        return rd.bit(self.contexts[name])

    def integer(self, rd, c):
        if not self.bit(rd, "zero", c):
            return 0
        negative = self.bit(rd, "sign")
        k = 1
        while k < 15 and self.bit(rd, "length", c, k):
            k += 1
        m = 1
        for i in range(k - 2, -1, -1):
            name = ("first", k) if i == k - 2 else ("second", k, m & 1) if i == k - 3 else ("rest", k, i)
            m = 2 * m + self.bit(rd, *name)
        return -m if negative else m

    def near(self, rd, s):
        """An integer in the class of the neighbours' weighted sum (magnitude_class of 4.4)."""
        if s == 0:
            return self.integer(rd, 0)
        n = s.bit_length()
        h = (s >> (n - 2)) & 1 if n > 1 else 0
        return self.integer(rd, min(2 * n - 1 + h, self.classes - 1))


class Network:
    """Steps as (M, E), fraction bits, tensors as flat lists (4.4)."""

    def __init__(self, graph, data):
        rd, self.side = RangeDecoder(data), ValueModel(3)
        self.latent_step = self.step(rd)
        self.f = []
        for op, read, _, _ in graph.nodes:
            if op == "shuffle":
                self.f.append(self.f[read])
            else:
                self.f.append(self.side.integer(rd, 2))
                need(0 <= self.f[-1] <= 19, "fraction bits")
        weights, biases = ValueModel(24), ValueModel(24)
        self.steps, self.tensors = [], []
        for shape in graph.tensors:
            self.steps.append(self.step(rd))
            self.tensors.append(self.biases(rd, biases, *shape) if len(shape) == 1 else self.weights(rd, weights, *shape))

    def step(self, rd):
        e, m = self.side.integer(rd, 0), self.side.integer(rd, 1)
        need(0 <= e <= 40 and 0 <= m <= 127, "step")
        return 128 + m, e

    @staticmethod
    def weights(rd, model, outs, ins, k, _):
        q = []
        for o in range(outs):
            for i in range(ins):
                for y in range(k):
                    for x in range(k):
                        total = weight = 0
                        for there, back, factor in ((i, k * k, 2), (o, ins * k * k, 2), (x, 1, 1), (y, k, 1)):
                            if there > 0:
                                total += factor * abs(q[-back])
                                weight += factor
                        q.append(model.near(rd, 6 * total // weight if weight else 0))
        return q

    @staticmethod
    def biases(rd, model, outs):
        q = [0, 0]
        for _ in range(outs):
            q.append(model.near(rd, 4 * abs(q[-1]) + 2 * abs(q[-2])))
        return q[2:]


def latents(shape, frames, data):
    """One flat list a frame (4.5)."""
    rd, model = RangeDecoder(data), ValueModel(20)
    temporal = rd.bit(fresh())
    _, h, w = shape
    size = product(shape)
    before, q = [0] * size, [0] * size
    for t in range(frames):
        r = []
        for i in range(size):
            s = 2 * abs(before[i])
            s += abs(r[i - 1]) if i % w > 0 else 0
            s += abs(r[i - w]) if i // w % h > 0 else 0
            s += 2 * abs(r[i - h * w]) if i >= h * w else 0
            r.append(model.near(rd, s))
        q = [a + b for a, b in zip(r, q)] if temporal else r
        need(all(abs(v) <= 32767 for v in q), "latent value")
        before = r
        yield q


# 5 -- synthesis; an array is a list of channels, a channel a list of rows

def conv2d(a, f_in, f_out, weights, w_step, bias, b_step):
    (mw, ew), (mb, eb) = w_step, b_step
    total = f_in + ew
    need(f_out <= total, "fraction bits of a convolution")
    need(total <= eb + 37, "bias step")
    height, width, ins = len(a[0]), len(a[0][0]), len(a)
    k = round((len(weights) // len(bias) // ins) ** 0.5)
    h = (k - 1) // 2
    # zeros around the input; padded[i][v] holds its rows shifted by v columns
    blank = [0] * width
    padded = []
    for channel in a:
        rows = [[0] * h + row + [0] * h for row in channel]
        padded.append([[blank] * h + [row[v:v + width] for row in rows] + [blank] * h for v in range(k)])
    out = []
    for o, b in enumerate(bias):
        b = b * mb << (total - eb) if total >= eb else rshift(b * mb, eb - total)
        taps = [(weights[((o * ins + i) * k + u) * k + v], padded[i][v], u) for i in range(ins) for u in range(k) for v in range(k)]
        channel = []
        for y in range(height):
            acc = blank
            for w, rows, u in taps:
                if w:
                    acc = [s + w * v for s, v in zip(acc, rows[y + u])]
            channel.append([sat(rshift(s * mw + b, total - f_out)) for s in acc])
        out.append(channel)
    return out


def pixel_shuffle(a, r):
    def row(c, y):
        parts = [a[c * r * r + y % r * r + j][y // r] for j in range(r)]
        return [v for column in zip(*parts) for v in column]
    return [[row(c, y) for y in range(len(a[0]) * r)] for c in range(len(a) // (r * r))]


def gelu_table(bump_table, f_in, f_out):
    def gelu(a):
        v = a << (20 - f_in)
        u = min(abs(v), 1 << 23)
        i, r = u >> 14, u & 16383
        bump = (bump_table[i] * (16384 - r) + bump_table[min(i + 1, 512)] * r + 8192) >> 14
        return sat(rshift(max(v, 0) - 8 * bump, 20 - f_out))
    return gelu


def picture(graph, net, q, seq, bump_table):
    """Raw bytes of one frame."""
    values = []
    for node, (op, read, (channels, h, w), detail) in enumerate(graph.nodes):
        f = net.f[node]
        if op == "latent":
            m, e = net.latent_step
            need(f <= e, "fraction bits of the latent")
            flat = [sat(rshift(v * m, e - f)) for v in q]
            out = [[flat[(c * h + y) * w:][:w] for y in range(h)] for c in range(channels)]
        elif op == "conv":
            t, s = net.tensors, net.steps
            out = conv2d(values[read], net.f[read], f, t[detail], s[detail], t[detail + 1], s[detail + 1])
        elif op == "shuffle":
            out = pixel_shuffle(values[read], detail)
        else:
            gelu, known = gelu_table(bump_table, net.f[read], f), {}
            for v in {v for channel in values[read] for row in channel for v in row}:
                known[v] = gelu(v)
            out = [[[known[v] for v in row] for row in channel] for channel in values[read]]
        values.append(out)
    raw = bytearray()
    for (node, channel), (width, height) in zip(graph.outputs, seq.planes()):
        f = net.f[node]
        for row in values[node][channel][:height]:
            for a in row[:width]:
                v = (((a + (1 << f)) << seq.depth) + (1 << f)) >> (f + 1)
                v = max(0, min((1 << seq.depth) - 1, v))
                raw += v.to_bytes(1 if seq.depth == 8 else 2, "little")
    return bytes(raw)


def section(payload, seq, first_frame, bump_table):
    """Yields the raw frames of a section (3.2, 3.3)."""
    f = Fields(payload)
    need(f.varint(0, 2**31 - 1) == first_frame, "first frame of a section")
    frames, groups = f.varint(1, 0xFFFFFF), f.varint(1, 65535)
    todo = []
    for _ in range(groups):
        count, arch = f.varint(1, 65535), f.u8(1, 255)
        weights_bytes, latents_bytes = f.varint(0, 2**31 - 1), f.varint(0, 2**31 - 1)
        if arch != 1:
            raise Unsupported(f"architecture {arch}")
        graph = Hnerv(f, seq)
        values = sum(map(product, graph.tensors)) + graph.latent_len() * count
        need(values <= 8192 * (weights_bytes + latents_bytes + 8), "too many values")
        todo.append((count, graph, f.take(weights_bytes), f.take(latents_bytes)))
    need(f.left() == 0, "bytes after the last group")
    need(sum(g[0] for g in todo) == frames, "frames of a section")
    yield frames
    for count, graph, weights, coded in todo:
        net = Network(graph, weights)
        for q in list(latents(graph.nodes[0][2], count, coded)):
            yield picture(graph, net, q, seq, bump_table)


def decode(data, bump_table):
    """Yields the raw bytes of every frame."""
    stream = packets(data)
    first = next(stream, (0, b"", b""))
    need(first[1] == b"H", "first packet is not H")
    seq, sections, frames, ended = Sequence(first[2]), [], 0, False
    for offset, tag, payload in stream:
        need(not ended, "data after the index")
        if tag == b"S":
            content = section(payload, seq, frames, bump_table)
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
        else:
            need(tag.islower(), f"second {tag}")
    need(ended, "no index")


def annex_a():
    """The table of annex A, from the document itself."""
    text = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
    body = re.search(r"<!-- BUMP -->\n```\n(.*?)```", text, re.S).group(1)
    table = [int(v) for v in body.replace(",", " ").split()]
    assert len(table) == 513
    return table


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    md5, out = hashlib.md5(), open(sys.argv[2], "wb") if len(sys.argv) == 3 else None
    try:
        for raw in decode(Path(sys.argv[1]).read_bytes(), annex_a()):
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
