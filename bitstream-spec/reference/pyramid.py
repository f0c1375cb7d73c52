"""Latent pyramids: fields (3.9), graph (6.6), latents (4.8) and operations (5.10 to 5.14), for decode.py."""
from basics import Invalid, need, product, rshift, sat
from laplace import Laplace
from scaled import Scaled

# numbers of the neighbours, at their places before the latent (4.8)
WINDOW = ((38, 35, 30, 25, 23, 31, 36, 37, 39), (33, 28, 21, 20, 6, 15, 22, 29, 34), (32, 18, 12, 10, 5, 9, 14, 19, 27),
          (24, 13, 8, 2, 1, 3, 11, 17, 26), (16, 7, 4, 0))
NEIGHBOURS = [None] * 40
for _y, _row in enumerate(WINDOW):
    for _x, _number in enumerate(_row):
        NEIGHBOURS[_number] = (_y - 4, _x - 4)


class Pyramid:
    """The fields, and what follows from them."""

    def __init__(self, f, seq):
        self.grids, self.empty, self.reach = f.u8(1, 16), f.varint(0, 65535), f.varint(1, 2047)
        self.contexts, self.hidden = f.u8(1, 40), f.varint(1, 256)
        need(self.grids >= (2 if seq.chroma == 1 else 1), "grids of 4:2:0")
        need(self.empty >> self.grids == 0, "empty grids that there are not")
        self.fraction = min(8, 15 - self.reach.bit_length())
        self.sizes = [(-(-seq.height // 2**level), -(-seq.width // 2**level)) for level in range(self.grids)]
        self.len = sum(map(product, self.sizes))


def graph(f, seq, make):
    p = Pyramid(f, seq)
    g = make(seq, "pyramid", (1, 1, p.len), p)
    g.unit, n, fixed = True, p.contexts, {}
    g.fixed = fixed  # fraction bits of nodes that have fixed ones
    g.tensors += [(n, n, 1, 1), (n,), (n, n, 1, 1), (n,), (2, n, 1, 1), (2,), (2, n, 1, 1)]
    fixed[0] = p.fraction
    x = [g.add("latent grid", (0,), (1, *size), level) for level, size in enumerate(p.sizes)]
    first = len(g.tensors)
    g.tensors += [(1, 1, 1, 4)] * (p.grids - 1)
    for level in range(p.grids - 2, -1, -1):
        channels, size = p.grids - 1 - level, p.sizes[level]
        up = g.add("upsample", (x[level + 1],), (channels, *size), first + level)
        x[level] = g.add("concatenate", (x[level], up), (channels + 1, *size))

    def conv(read, out, kernel, bias=True):
        channels, h, w = g.nodes[read][2]
        g.tensors += [(out, channels, kernel, kernel)] + [(out,)] * bias
        return g.add("edge conv", (read,), (out, h, w), (len(g.tensors) - 1 - bias, bias))

    outputs = []
    for level, planes in {1: [(0, 1), (1, 2)]}.get(seq.chroma, [(0, len(seq.planes()))]):
        h = g.same("relu", conv(x[level], p.hidden, 1))
        mix, bypass = conv(h, planes, 1, False), conv(x[level], planes, 1)
        a = g.same("add", mix, bypass)
        b = conv(a, planes, 3)
        c = g.same("add", a, b)
        r = g.same("relu", c)
        d = conv(r, planes, 3)
        y = g.same("add", r, d)
        fixed.update((node, 13) for node in (mix, bypass, a, b, c, d, y))
        outputs += [(y, k) for k in range(planes)]
    g.outputs.append(outputs)
    return g


class Context:
    """The context network (4.8)."""

    def __init__(self, p, net):
        self.p, f = p, p.fraction
        for (m, e), _ in zip(net.steps, range(7)):
            need(m == 128 and e >= 7, "step of a context network")
        k = [e - 7 for _, e in net.steps[:7]]
        self.layers = []
        for w, b, to, identity in ((0, 1, f, True), (2, 3, f, True), (4, 5, 8, False), (6, None, 8, False)):
            outs = len(net.tensors[b]) if b is not None else 2
            ins, total = len(net.tensors[w]) // outs, f + k[w]
            need(k[w] <= 14 and total >= to, "fraction bits of a context network")
            rows, biases = [net.tensors[w][o * ins:][:ins] for o in range(outs)], [0] * outs
            for o, row in enumerate(rows):
                if identity:
                    row[o] += 1 << k[w]
                    need(-32768 <= row[o] <= 32767, "weight of a context network")
                if b is not None:
                    q = net.tensors[b][o]
                    biases[o] = q << (total - k[b]) if total >= k[b] else rshift(q, k[b] - total)
                need(32767 * sum(map(abs, row)) + abs(biases[o]) + (1 << (total - to)) < 1 << 30, "sums of a context network")
            self.layers.append((rows, biases, total - to))

    def layer(self, i, a):
        rows, biases, shift = self.layers[i]
        return [rshift(b + sum(w * v for w, v in zip(row, a)), shift) for row, b in zip(rows, biases)]

    def predict(self, c):
        h = [max(0, min(32767, v)) for v in self.layer(0, c)]
        h = [max(0, min(32767, v)) for v in self.layer(1, h)]
        mean, scale = (a + b for a, b in zip(self.layer(2, h), self.layer(3, c)))
        return max(-2**19, min(2**19, mean)), max(-160, min(160, rshift(scale - 1024, 3))) + 160


def latents(p, net, frames, rd, tables):
    """One flat list a frame."""
    context, symbols, reach = Context(p, net), Scaled(rd, None, None, Invalid), p.reach
    laplace = Laplace(tables)

    for _ in range(frames):
        frame = [[[0] * columns for _ in range(rows)] for rows, columns in p.sizes]
        for level in range(p.grids - 1, -1, -1):
            rows, columns = p.sizes[level]
            grid = frame[level]
            for step in range(columns + 5 * (rows - 1)) if not p.empty >> level & 1 else ():
                for y in range(max(0, -(-(step - columns + 1) // 5)), min(rows - 1, step // 5) + 1):
                    x = step - 5 * y
                    c = [grid[y + dy][x + dx] << p.fraction if y + dy >= 0 and 0 <= x + dx < columns else 0
                         for dy, dx in NEIGHBOURS[:p.contexts]]
                    mean, scale = context.predict(c)

                    grid[y][x] = laplace.integer(symbols, reach, mean, laplace.rates[scale])
        yield [v for grid in frame for row in grid for v in row]


def latent_grid(p, flat, level):
    rows, columns = p.sizes[level]
    at = sum(map(product, p.sizes[:level]))
    return [[flat[at + y * columns:][:columns] for y in range(rows)]]


def upsample(a, size, w, step):
    (m, e), taps = step, ((0, 2, 3, 1), (1, 3, 2, 0))

    def line(values, length):
        out, last = [], len(values) - 1
        for o in range(length):
            first = (o >> 1) - 2 + o % 2
            acc = sum(w[t] * values[max(0, min(last, first + i))] for i, t in enumerate(taps[o % 2]))
            out.append(sat(rshift(acc * m, e)))
        return out

    def flipped(rows):
        return [list(column) for column in zip(*rows)]
    return [[line(row, size[1]) for row in flipped([line(column, size[0]) for column in flipped(channel)])] for channel in a]


def edge_conv(a, f_in, f_out, w, w_step, bias, b_step):
    (mw, ew), height, width = w_step, len(a[0]), len(a[0][0])
    total, outs = f_in + ew, len(w) if bias is None else len(bias)
    need(f_out <= total, "fraction bits of a convolution")
    need(bias is None or total <= b_step[1] + 37, "bias step")
    k = round((len(w[0]) // len(a)) ** 0.5)
    h, out = (k - 1) // 2, []
    for o in range(outs):
        b = 0
        if bias is not None:
            b = bias[o] * b_step[0]
            b = b << (total - b_step[1]) if total >= b_step[1] else rshift(b, b_step[1] - total)
        channel = []
        for y in range(height):
            rows = [plane[max(0, min(height - 1, y + u - h))] for plane in a for u in range(k)]
            rows = [[row[0]] * h + row + [row[-1]] * h for row in rows]
            acc = [0] * width
            for i, row in enumerate(rows):
                for v in range(k):
                    weight = w[o][i * k + v]
                    if weight:
                        acc = [s + weight * x for s, x in zip(acc, row[v:v + width])]
            channel.append([sat(rshift(s * mw + b, total - f_out)) for s in acc])
        out.append(channel)
    return out
