"""Entropy coding (4): bits, integers, networks, latents."""
from basics import Invalid, need, product, sat
from graphs import INHERITING, SOURCES
from laplace import Laplace
from scaled import Scaled


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

    def __init__(self, graph, data, arch, previous, tables):
        rd, modes, laws, tail = RangeDecoder(data), arch != 1, arch == 6, tables["TAIL"]
        # the models go on from group to group, if both are coded with modes (4.6)
        self.models = previous.models if modes and previous and previous.models else [ValueModel(n) for n in (7, 24, 24, 24, 24, 8)]
        self.side, *pairs, scaled = self.models
        weights, biases = pairs[:2], pairs[2:]
        self.latent_step = self.step(rd) if graph.nodes[0][0] == "latent" else None
        self.f, self.own = [], []  # own: the coded ones, None for other nodes
        for i, (op, reads, _, _) in enumerate(graph.nodes):
            before = previous.own[i] if modes and previous and i < len(previous.own) else None
            if op in SOURCES or op in INHERITING or i in graph.fixed:
                self.own.append(None)
                self.f.append(graph.fixed[i] if i in graph.fixed else 14 if op in SOURCES else self.f[reads[0]])
                continue
            f = self.side.integer(rd, 2) if before is None else before + self.side.integer(rd, 4)
            need(0 <= f <= 19, "fraction bits")
            self.own.append(f)
            self.f.append(f)
        self.steps, self.tensors = [], []
        for i, shape in enumerate(graph.tensors):
            mode = self.side.integer(rd, 3) if modes else 0
            need(mode in ((0, 1, 2, 3, 4) if laws else (0, 1, 2)), "tensor mode")
            base = previous.tensors[i] if modes and previous and i < len(previous.tensors) else []
            other = self.side.integer(rd, 5) if len(base) == product(shape) else 1
            need(other in (0, 1), "mark of another step")
            step = self.step(rd) if other else previous.steps[i]
            need(mode not in (1, 4) or len(base) == product(shape), "residual tensor without a base")
            if mode == 2:
                q = Scaled(rd, scaled, tail, Invalid).tensor((*shape, 1, 1, 1)[:4])
            elif mode > 2:
                q = Laplace(tables).tensor(rd, Scaled(rd, None, None, Invalid), self.side, product(shape))
            elif len(shape) == 1:
                q = self.biases(rd, biases[mode], *shape)
            else:
                q = self.weights(rd, weights[mode], *shape)
            if mode in (1, 4):
                q = [r + predicted(v, previous.steps[i], step) for r, v in zip(q, base)]
                need(all(abs(v) <= 32767 for v in q), "tensor value")
            self.steps.append(step)
            self.tensors.append(q)
        if not modes:
            self.models = None

    def step(self, rd):
        e, m = self.side.integer(rd, 0), self.side.integer(rd, 1)
        need(0 <= e <= 40 and 0 <= m <= 127, "step")
        return 128 + m, e

    @staticmethod
    def weights(rd, model, outs, ins, rows, columns):
        q = []
        for o in range(outs):
            for i in range(ins):
                for y in range(rows):
                    for x in range(columns):
                        total = weight = 0
                        for there, back, factor in ((i, rows * columns, 2), (o, ins * rows * columns, 2), (x, 1, 1), (y, columns, 1)):
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
