"""Synthesis (5); an array is a list of channels, a channel a list of rows."""
import pyramid
from basics import need, rshift, sat


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


class Functions:
    """Functions by the tables of annex A (5.5)."""

    def __init__(self, tables, trace=None):
        self.tables, self.trace = tables, trace

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

    def nonlinearity(self, name, a, f_in, f_out):
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


def source(op, shape, detail, net, t, q, functions):
    channels, h, w = shape
    if op == "time":
        return functions.time(channels // 2, t, detail)
    if op == "grid":
        return grid(h, w)
    if op == "pyramid":
        return [v << net.f[0] for v in q]
    (m, e), f = net.latent_step, net.f[0]
    need(f <= e, "fraction bits of the latent")
    flat = [sat(rshift(v * m, e - f)) for v in q]
    return [[flat[(c * h + y) * w:][:w] for y in range(h)] for c in range(channels)]


def pictures(graph, net, t, q, seq, functions):
    """Yields the raw bytes of each frame of pass `t`, whose latent is `q`."""
    values = []
    for node, (op, reads, shape, detail) in enumerate(graph.nodes):
        f = net.f[node]
        ins, fs = [values[r] for r in reads], [net.f[r] for r in reads]
        if not reads:
            out = source(op, shape, detail, net, t, q, functions)
        elif op in ("conv", "depthwise"):
            w, s = net.tensors, net.steps
            out = conv2d(ins[0], fs[0], f, w[detail], s[detail], w[detail + 1], s[detail + 1], op == "depthwise")
        elif op == "latent grid":
            out = pyramid.latent_grid(graph.nodes[0][3], ins[0], detail)
        elif op == "upsample":
            out = pyramid.upsample(ins[0], shape[1:], net.tensors[detail], net.steps[detail])
        elif op == "concatenate":
            out = ins[0] + ins[1]
        elif op == "relu":
            out = mapped(lambda a: max(a, 0), ins[0])
        elif op == "edge conv":
            (at, bias), size = detail, len(net.tensors[detail[0]]) // shape[0]
            rows = [net.tensors[at][o * size:][:size] for o in range(shape[0])]
            out = pyramid.edge_conv(ins[0], fs[0], f, rows, net.steps[at], *((net.tensors[at + 1], net.steps[at + 1]) if bias else (None, None)))
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
                code = functions.frame_code(detail, c)
                out += mapped(lambda a: sat(rshift((a << (20 - fs[0])) + code, 20 - f)), [channel])
        else:
            out = mapped(lambda a: functions.nonlinearity(op, a, fs[0], f), ins[0])
        values.append(out)
        if functions.trace:
            functions.trace(f"pass {t} node {node} {op} {shape}, {f} fraction bits", [v for channel in out for row in channel for v in row]
                            if out and isinstance(out[0], list) else out)
    for outputs in graph.outputs:
        planes = []
        for (node, channel), (width, height) in zip(outputs, seq.planes()):
            f, top = net.f[node], (1 << seq.depth) - graph.closed
            planes.append([])
            for row in values[node][channel][:height]:
                for a in row[:width]:
                    v = rshift(a * ((1 << seq.depth) - 1), f) if graph.unit else ((a + (1 << f)) * top + (1 << f)) >> (f + 1)
                    planes[-1].append(max(0, min((1 << seq.depth) - 1, v)))
        if seq.alpha():
            planes[:-1] = [list(map(min, plane, planes[-1])) for plane in planes[:-1]]
        yield b"".join(v.to_bytes(1 if seq.depth == 8 else 2, "little") for plane in planes for v in plane)
