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

from scaled import Scaled


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


class Graph:
    """Nodes are (operation, reads, shape, detail), tensors are shapes, outputs hold one list of (node, channel) a picture of a pass."""

    def __init__(self, seq, *source):
        self.seq, self.nodes, self.tensors, self.outputs = seq, [], [], []
        self.frames_a_pass, self.closed, self.head_curve = 1, False, None
        self.add(source[0], (), *source[1:])

    def add(self, op, reads, shape, detail=None):
        self.nodes.append((op, reads, shape, detail))
        return len(self.nodes) - 1

    def conv(self, read, out, kernel):
        channels, h, w = self.nodes[read][2]
        self.tensors += [(out, channels, kernel, kernel), (out,)]
        return self.add("conv", (read,), (out, h, w), len(self.tensors) - 2)

    def depthwise(self, read, kernel):
        shape = self.nodes[read][2]
        self.tensors += [(shape[0], 1, kernel, kernel), (shape[0],)]
        return self.add("depthwise", (read,), shape, len(self.tensors) - 2)

    def shuffle(self, read, r):
        c, h, w = self.nodes[read][2]
        return self.add("shuffle", (read,), (c // (r * r), h * r, w * r), r)

    def unflatten(self, read, h, w):
        return self.add("unflatten", (read,), (self.nodes[read][2][0] // (h * w), h, w))

    def bilinear(self, read, r):
        c, h, w = self.nodes[read][2]
        return self.add("bilinear", (read,), (c, h * r, w * r), r)

    def same(self, op, *reads, detail=None):
        """A node of the shape of what it reads: a curve, a sum, a frame code."""
        return self.add(op, reads, self.nodes[reads[0]][2], detail)

    def heads(self, x, before, kernel):
        """The output convolutions of one picture (6.1)."""
        def head(read, channels):
            node = self.conv(read, channels, kernel)
            return self.same(self.head_curve, node) if self.head_curve else node
        if self.seq.chroma == 1:
            luma, chroma = head(x, 1), head(before, 2)
            self.outputs.append([(luma, 0), (chroma, 0), (chroma, 1)])
        else:
            planes = len(self.seq.planes())
            node = head(x, planes)
            self.outputs.append([(node, c) for c in range(planes)])

    def has_latents(self):
        return self.nodes[0][0] == "latent"

    def latent_len(self):
        return product(self.nodes[0][2]) if self.has_latents() else 0


# operations whose fraction bits are not coded (5.1)
SOURCES, INHERITING = ("time", "grid"), ("shuffle", "unflatten", "bilinear")


def fits(seq, rows, columns, up, last, *kernels):
    """The rules of 6.1."""
    need(all(k % 2 == 1 for k in kernels), "even kernel")
    for cells, size in ((rows, seq.height), (columns, seq.width)):
        need(cells * up >= size and cells * up - size < max(up, 2), "padded size does not fit")
    need(seq.chroma != 1 or last == 2, "last stride of 4:2:0")


def stage_fields(f, count):
    return [(f.u8(1, 16), f.u8(1, 15), f.varint(1, 4096)) for _ in range(count)]


def upsampling(stages):
    return product([stride for stride, _, _ in stages])


def hnerv(f, seq, tanh):
    """Fields (3.4) and graph (6.1, 6.5)."""
    latent = (f.varint(1, 1024), f.varint(1, 1024), f.varint(1, 1024))
    stem, head = f.varint(1, 4096), f.u8(1, 15)
    stages = stage_fields(f, f.u8(1, 12))
    fits(seq, latent[1], latent[2], upsampling(stages), stages[-1][0], head, *(k for _, k, _ in stages))
    g = Graph(seq, "latent", latent)
    if tanh:
        g.closed, g.head_curve = True, "tanh"
    x = g.same("gelu", g.conv(0, stem, 1))
    for stride, kernel, channels in stages:
        before = x
        x = g.same("gelu", g.shuffle(g.conv(x, channels * stride * stride, kernel), stride))
    g.heads(x, before, head)
    return g


def nerv(f, seq, frames, plus):
    """Fields (3.6) and graph (6.2, 6.3)."""
    levels, hidden = f.u8(1, 40), f.varint(1, 4096)
    rows, columns, first = f.varint(1, 1024), f.varint(1, 1024), f.varint(1, 4096)
    curve, head, count = ("gelu", "swish")[f.u8(0, 1)], f.u8(1, 15), f.u8(1, 12)
    blocks_before, blocks_after, block_kernel = (f.u8(0, 4), f.u8(0, 4), f.u8(1, 15)) if plus else (0, 0, 1)
    stages = stage_fields(f, count)
    fits(seq, rows, columns, upsampling(stages), stages[-1][0], head, block_kernel, *(k for _, k, _ in stages))
    g = Graph(seq, "time", (2 * levels, 1, 1), frames)

    def blocks(x, number):
        for _ in range(number):
            y = g.same(curve, g.depthwise(x, block_kernel))
            x = g.same("add", x, g.conv(y, g.nodes[x][2][0], 1))
        return x

    x = g.same(curve, g.conv(0, hidden, 1))
    x = g.same(curve, g.unflatten(g.conv(x, first * rows * columns, 1), rows, columns))
    for stride, kernel, channels in stages:
        before = x
        x = g.conv(blocks(x, blocks_before), channels * stride * stride, kernel)
        x = blocks(g.same(curve, g.shuffle(x, stride)), blocks_after)
        if plus:
            x = g.same("add", x, g.bilinear(g.conv(before, channels, 1), stride))
    g.heads(x, before, head)
    return g


def nirvana(f, seq, frames):
    """Fields (3.7) and graph (6.4)."""
    rows, columns, layers = f.varint(1, 4096), f.varint(1, 4096), f.u8(1, 8)
    hidden, features, cell = f.varint(1, 4096), f.varint(1, 1024), f.u8(1, 64)
    kernel, stride, channels, head = f.u8(1, 15), f.u8(1, 16), f.varint(1, 4096), f.u8(1, 15)
    need(frames <= 64, "frames of a NIRVANA group")
    fits(seq, rows, columns, cell * stride, stride, kernel, head)
    g = Graph(seq, "grid", (2, rows, columns))
    g.frames_a_pass, x = frames, 0
    for _ in range(layers):
        x = g.same("sine", g.conv(x, hidden, 1))
    features = g.shuffle(g.conv(x, features * cell * cell, 1), cell)
    for t in range(frames):
        own = g.same("frame code", features, detail=t)
        x = g.conv(own, channels * stride * stride, kernel)
        g.heads(g.same("gelu", g.shuffle(x, stride)), own, head)
    return g


def architecture(arch, f, seq, frames):
    if arch in (1, 5):
        return hnerv(f, seq, arch == 5)
    if arch in (2, 3):
        return nerv(f, seq, frames, arch == 3)
    if arch == 4:
        return nirvana(f, seq, frames)
    raise Unsupported(f"architecture {arch}")


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
    """Steps as (M, E), fraction bits, tensors as flat lists (4.4, 4.6)."""

    def __init__(self, graph, data, modes, previous, tail):
        rd, self.side = RangeDecoder(data), ValueModel(5)
        self.latent_step = self.step(rd) if graph.has_latents() else None
        self.f, self.own = [], []  # own: the coded ones, None for other nodes
        for i, (op, reads, _, _) in enumerate(graph.nodes):
            before = previous.own[i] if modes and previous and i < len(previous.own) else None
            if op in SOURCES or op in INHERITING:
                self.own.append(None)
                self.f.append(14 if op in SOURCES else self.f[reads[0]])
                continue
            f = self.side.integer(rd, 2) if before is None else before + self.side.integer(rd, 4)
            need(0 <= f <= 19, "fraction bits")
            self.own.append(f)
            self.f.append(f)
        weights, biases, scaled = [ValueModel(24), ValueModel(24)], [ValueModel(24), ValueModel(24)], ValueModel(8)
        self.steps, self.tensors = [], []
        for i, shape in enumerate(graph.tensors):
            mode = self.side.integer(rd, 3) if modes else 0
            need(mode in (0, 1, 2), "tensor mode")
            step = self.step(rd)
            base = previous.tensors[i] if previous and i < len(previous.tensors) else []
            need(mode != 1 or len(base) == product(shape), "residual tensor without a base")
            if mode == 2:
                q = Scaled(rd, scaled, tail, Invalid).tensor((*shape, 1, 1, 1)[:4])
            elif len(shape) == 1:
                q = self.biases(rd, biases[mode], *shape)
            else:
                q = self.weights(rd, weights[mode], *shape)
            if mode == 1:
                q = [r + predicted(v, previous.steps[i], step) for r, v in zip(q, base)]
                need(all(abs(v) <= 32767 for v in q), "tensor value")
            self.steps.append(step)
            self.tensors.append(q)

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


def predicted(q, before, step):
    """A value of the previous group in units of a new step (4.6)."""
    (m0, e0), (m1, e1) = before, step
    p, u = q * m0 << max(e1 - e0, 0), m1 << max(e0 - e1, 0)
    return sat((2 * p + u) // (2 * u))


def latents(shape, frames, data, marked, tail):
    """One flat list a frame (4.5)."""
    rd, model, size = RangeDecoder(data), ValueModel(20), product(shape)
    if marked and rd.bit(fresh()):
        q = Scaled(rd, ValueModel(8), tail, Invalid).tensor((frames, *shape))
        yield from (q[t * size:][:size] for t in range(frames))
        return
    temporal = rd.bit(fresh())
    _, h, w = shape
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

def conv2d(a, f_in, f_out, weights, w_step, bias, b_step, depthwise=False):
    (mw, ew), (mb, eb) = w_step, b_step
    total = f_in + ew
    need(f_out <= total, "fraction bits of a convolution")
    need(total <= eb + 37, "bias step")
    height, width, ins = len(a[0]), len(a[0][0]), 1 if depthwise else len(a)
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
        first = o if depthwise else 0
        taps = [(weights[((o * ins + i) * k + u) * k + v], padded[first + i][v], u)
                for i in range(ins) for u in range(k) for v in range(k)]
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


def unflatten(a, h, w):
    flat = [channel[0][0] for channel in a]
    return [[flat[(c * h + y) * w:][:w] for y in range(h)] for c in range(len(a) // (h * w))]


def bilinear(a, r):
    def places(n):
        for o in range(n * r):
            left, share = divmod(2 * o + 1 - r, 2 * r)
            yield max(0, min(left, n - 1)), max(0, min(left + 1, n - 1)), share
    whole, out = 2 * r, []
    for channel in a:
        columns = list(places(len(channel[0])))
        out.append([])
        for y0, y1, sy in places(len(channel)):
            top, bottom = channel[y0], channel[y1]
            out[-1].append([((top[x0] * (whole - sx) + top[x1] * sx) * (whole - sy)
                             + (bottom[x0] * (whole - sx) + bottom[x1] * sx) * sy + whole * r) // (whole * whole)
                            for x0, x1, sx in columns])
    return out


class Curves:
    """Functions by the tables of annex A (5.5)."""

    def __init__(self, tables):
        self.tables = tables

    def interpolate(self, name, u, b):
        table = self.tables[name]
        n = len(table) - 1
        u = min(u, n << b)
        i, r = u >> b, u & ((1 << b) - 1)
        return (table[i] * ((1 << b) - r) + table[min(i + 1, n)] * r + (1 << (b - 1))) >> b

    def sine(self, x):
        x &= (1 << 20) - 1
        y = x & ((1 << 18) - 1)
        s = self.interpolate("SINE", (1 << 18) - y if (x >> 18) & 1 else y, 10)
        return s if x < 1 << 19 else -s

    def curve(self, name, a, f_in, f_out):
        v = a << (20 - f_in)
        if name == "gelu":
            w = max(v, 0) - 8 * self.interpolate("BUMP", abs(v), 14)
        elif name == "swish":
            w = max(v, 0) - 8 * self.interpolate("SWISH_BUMP", abs(v), 14)
        elif name == "sine":
            w = 32 * self.sine(v)
        else:
            w = 32 * self.interpolate("TANH", abs(v), 14) * (-1 if v < 0 else 1)
        return sat(rshift(w, 20 - f_out))

    def time(self, levels, t, frames):
        """The source of NeRV (5.2), one row and column a channel."""
        out = []
        for k in range(levels):
            turns = (5**k * t << 20) // (frames << (2 * k + 1))
            out += [[[rshift(self.sine(turns), 1)]], [[rshift(self.sine(turns + (1 << 18)), 1)]]]
        return out

    def frame_code(self, t, c):
        k = c >> 1
        turns = (self.tables["FRAME_TURNS"][k] * t) & (2**32 - 1) if k <= 4 else 0
        return 32 * self.sine((turns >> 12) + (c & 1) * (1 << 18))


def grid(h, w):
    def at(i, n):
        return ((2 * i + 1) << 14) // n - (1 << 14)
    return [[[at(y, h)] * w for y in range(h)], [[at(x, w) for x in range(w)] for _ in range(h)]]


def mapped(function, a):
    """`function` of every activation, each value computed once."""
    known = {v: function(v) for v in {v for channel in a for row in channel for v in row}}
    return [[[known[v] for v in row] for row in channel] for channel in a]


def source(op, shape, detail, net, t, q, curves):
    channels, h, w = shape
    if op == "time":
        return curves.time(channels // 2, t, detail)
    if op == "grid":
        return grid(h, w)
    (m, e), f = net.latent_step, net.f[0]
    need(f <= e, "fraction bits of the latent")
    flat = [sat(rshift(v * m, e - f)) for v in q]
    return [[flat[(c * h + y) * w:][:w] for y in range(h)] for c in range(channels)]


def pictures(graph, net, t, q, seq, curves):
    """Yields the raw bytes of each frame of pass `t`, whose latent is `q`."""
    values = []
    for node, (op, reads, shape, detail) in enumerate(graph.nodes):
        f = net.f[node]
        ins, fs = [values[r] for r in reads], [net.f[r] for r in reads]
        if not reads:
            out = source(op, shape, detail, net, t, q, curves)
        elif op in ("conv", "depthwise"):
            w, s = net.tensors, net.steps
            out = conv2d(ins[0], fs[0], f, w[detail], s[detail], w[detail + 1], s[detail + 1], op == "depthwise")
        elif op == "shuffle":
            out = pixel_shuffle(ins[0], detail)
        elif op == "unflatten":
            out = unflatten(ins[0], *shape[1:])
        elif op == "bilinear":
            out = bilinear(ins[0], detail)
        elif op == "add":
            out = [[[sat(rshift((a << (20 - fs[0])) + (b << (20 - fs[1])), 20 - f)) for a, b in zip(*rows)] for rows in zip(*channels)]
                   for channels in zip(*ins)]
        elif op == "frame code":
            out = []
            for c, channel in enumerate(ins[0]):
                code = curves.frame_code(detail, c)
                out += mapped(lambda a: sat(rshift((a << (20 - fs[0])) + code, 20 - f)), [channel])
        else:
            out = mapped(lambda a: curves.curve(op, a, fs[0], f), ins[0])
        values.append(out)
    for outputs in graph.outputs:
        raw = bytearray()
        for (node, channel), (width, height) in zip(outputs, seq.planes()):
            f, top = net.f[node], (1 << seq.depth) - graph.closed
            for row in values[node][channel][:height]:
                for a in row[:width]:
                    v = ((a + (1 << f)) * top + (1 << f)) >> (f + 1)
                    v = max(0, min((1 << seq.depth) - 1, v))
                    raw += v.to_bytes(1 if seq.depth == 8 else 2, "little")
        yield bytes(raw)


def section(payload, seq, first_frame, curves):
    """Yields the raw frames of a section (3.2, 3.3)."""
    f = Fields(payload)
    need(f.varint(0, 2**31 - 1) == first_frame, "first frame of a section")
    frames, groups = f.varint(1, 0xFFFFFF), f.varint(1, 65535)
    todo = []
    for _ in range(groups):
        count, arch = f.varint(1, 65535), f.u8(1, 255)
        weights_bytes, latents_bytes = f.varint(0, 2**31 - 1), f.varint(0, 2**31 - 1)
        graph = architecture(arch, f, seq, count)
        need(graph.has_latents() or latents_bytes == 0, "latents of an architecture without")
        values = sum(map(product, graph.tensors)) + graph.latent_len() * count
        need(values <= 8192 * (weights_bytes + latents_bytes + 8), "too many values")
        todo.append((count, arch, graph, f.take(weights_bytes), f.take(latents_bytes)))
    need(f.left() == 0, "bytes after the last group")
    need(sum(g[0] for g in todo) == frames, "frames of a section")
    yield frames
    previous = None
    for count, arch, graph, weights, coded in todo:
        previous = net = Network(graph, weights, arch != 1, previous, curves.tables["TAIL"])
        passes = [None] * (count // graph.frames_a_pass)
        if graph.has_latents():
            passes = list(latents(graph.nodes[0][2], count, coded, arch == 5, curves.tables["TAIL"]))
        for t, q in enumerate(passes):
            yield from pictures(graph, net, t, q, seq, curves)


def decode(data, tables):
    """Yields the raw bytes of every frame."""
    stream = packets(data)
    first = next(stream, (0, b"", b""))
    need(first[1] == b"H", "first packet is not H")
    seq, sections, frames, ended = Sequence(first[2]), [], 0, False
    for offset, tag, payload in stream:
        need(not ended, "data after the index")
        if tag == b"S":
            content = section(payload, seq, frames, Curves(tables))
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
    """The tables of annex A, from the document itself."""
    text = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
    tables = {}
    for name, n in (("BUMP", 513), ("SWISH_BUMP", 1025), ("SINE", 257), ("TANH", 513), ("FRAME_TURNS", 5), ("TAIL", 193)):
        body = re.search(rf"<!-- {name} -->\n```\n(.*?)```", text, re.S).group(1)
        tables[name] = [int(v) for v in body.split()]
        assert len(tables[name]) == n
    return tables


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
