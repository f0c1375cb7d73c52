"""Architectures: their fields (3.4, 3.6, 3.7; those of 3.9 are in pyramid.py) and the graphs they define (6)."""
import pyramid
from basics import Unsupported, need, product


class Graph:
    """Nodes are (operation, reads, shape, detail), tensors are shapes, outputs hold one list of (node, channel) a picture of a pass."""

    def __init__(self, seq, *source):
        self.seq, self.nodes, self.tensors, self.outputs = seq, [], [], []
        self.frames_a_pass, self.closed, self.unit, self.output_nonlinearity = 1, False, False, None
        self.fixed = {}
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
        """A node of the shape of what it reads: a nonlinearity, a sum, a frame code."""
        return self.add(op, reads, self.nodes[reads[0]][2], detail)

    def heads(self, x, before, kernel):
        """The output convolutions of one picture (6.1)."""
        def head(read, channels):
            node = self.conv(read, channels, kernel)
            return self.same(self.output_nonlinearity, node) if self.output_nonlinearity else node
        if self.seq.chroma == 1:
            luma, chroma = head(x, 1), head(before, 2)
            self.outputs.append([(luma, 0), (chroma, 0), (chroma, 1)])
        else:
            planes = len(self.seq.planes())
            node = head(x, planes)
            self.outputs.append([(node, c) for c in range(planes)])

    def has_latents(self):
        return self.nodes[0][0] in ("latent", "pyramid")

    def latent_len(self):
        return product(self.nodes[0][2]) if self.has_latents() else 0


# operations whose fraction bits are not coded (5.1)
SOURCES = ("time", "grid")
INHERITING = ("shuffle", "unflatten", "bilinear", "latent grid", "upsample", "concatenate", "relu")


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
        g.closed, g.output_nonlinearity = True, "tanh"
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
    nonlinearity, head, count = ("gelu", "swish")[f.u8(0, 1)], f.u8(1, 15), f.u8(1, 12)
    blocks_before, blocks_after, block_kernel = (f.u8(0, 4), f.u8(0, 4), f.u8(1, 15)) if plus else (0, 0, 1)
    stages = stage_fields(f, count)
    fits(seq, rows, columns, upsampling(stages), stages[-1][0], head, block_kernel, *(k for _, k, _ in stages))
    g = Graph(seq, "time", (2 * levels, 1, 1), frames)

    def blocks(x, number):
        for _ in range(number):
            y = g.same(nonlinearity, g.depthwise(x, block_kernel))
            x = g.same("add", x, g.conv(y, g.nodes[x][2][0], 1))
        return x

    x = g.same(nonlinearity, g.conv(0, hidden, 1))
    x = g.same(nonlinearity, g.unflatten(g.conv(x, first * rows * columns, 1), rows, columns))
    for stride, kernel, channels in stages:
        before = x
        x = g.conv(blocks(x, blocks_before), channels * stride * stride, kernel)
        x = blocks(g.same(nonlinearity, g.shuffle(x, stride)), blocks_after)
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
    if arch == 6:
        return pyramid.graph(f, seq, Graph)
    raise Unsupported(f"architecture {arch}")
