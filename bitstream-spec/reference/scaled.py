"""Scaled tensors (4.7) in plain Python, for decode.py; written from the bitstream document alone.

`rd` is decode.py's RangeDecoder, `model` its ValueModel of 8 classes, `tail` the table TAIL of annex A.
"""
EIGHTH = (32768, 30048, 27554, 25268, 23170, 21247, 19484, 17867)
ONE = 1 << 24


def product(shape):
    n = 1
    for d in shape:
        n *= d
    return n


class Scaled:
    def __init__(self, rd, model, tail, invalid):
        self.rd, self.model, self.tail, self.invalid = rd, model, tail, invalid

    def integer(self, c, lo, hi):
        v = self.model.integer(self.rd, c)
        if not lo <= v <= hi:
            raise self.invalid(f"integer of a scaled tensor is {v}, allowed {lo}..={hi}")
        return v

    def symbol(self, n, counts):
        """One of 0..n by counts."""
        rd = self.rd
        scale = rd.range >> 24
        if rd.d >= scale << 24:
            raise self.invalid("range-coder string")
        v, end, low, high = 0, n, 0, ONE
        while end - v > 1:
            middle = (v + end) // 2
            count = counts(middle)
            if scale * count <= rd.d:
                v, low = middle, count
            else:
                end, high = middle, count
        rd.d -= scale * low
        rd.range = scale * (high - low)
        if rd.range < 1 << 32:
            rd.range <<= 32
            rd.d = rd.d << 32 | rd.word(rd.n)
            rd.n += 1
        return v

    def tensor(self, shape):
        """The values, a flat list; `shape` has four axes."""
        scale_unit, offset_unit = self.integer(1, 1, 32767), self.integer(1, 1, 32767)
        axes = self.integer(0, 0, 15)
        slices = [n if axes >> i & 1 else 1 for i, n in enumerate(shape)]
        if product(slices) > 1:
            one = ([65536], [0], [0] * 4)
            scales, half = self.field(slices, one)
            offsets, _ = self.field(slices, one)
        else:
            scales, half, offsets = [self.integer(7, -1024, 1023)], 1024, [self.integer(7, -1024, 1023)]
        strides = [product(slices[i + 1:]) if slices[i] > 1 else 0 for i in range(4)]
        scales = [(v + half + 1) * scale_unit for v in scales]
        return self.field(shape, (scales, [(v * offset_unit) << 8 for v in offsets], strides))[0]

    def field(self, shape, slices):
        """Values of a field, and half of the range of its integers."""
        outs, ins, rows, columns = shape
        bits, ends, r = self.integer(0, 1, 11), self.integer(0, 0, 1), self.integer(0, 0, 16)
        places = [(0, 0, -1), (0, -1, 0), (0, -1, -1), (0, -1, 1), (0, 0, -2), (0, -2, 0),
                  (1, 0, 0), (1, 0, 1), (1, 0, -1), (1, 1, 0), (1, -1, 0), (2, 0, 0)]
        if r > 1:
            places += [(r, 0, 0), (r, 0, 1), (r, 1, 0), (r, 0, -1), (r, -1, 0), (r * r, 0, 0)]
        places = [p for p in places if abs(p[1]) < rows and abs(p[2]) < columns]
        sets = [[self.integer(2, -1023, 1023) for _ in places] for _ in range(r * r)]
        centre, level = self.integer(1, -32767, 32767), self.integer(3, 0, 160)
        levels = []
        for i, n in enumerate((outs, ins, rows * columns)):
            there = self.integer(0, 0, 1)
            levels.append([self.integer(4 + i, -160, 160) if there else 0 for _ in range(n)])
        # neighbours of each set and kernel position: output channels back, index back, coefficient
        near = [[[(b, b * ins * rows * columns - dy * columns - dx, k) for (b, dy, dx), k in zip(places, coefficients)
                  if k and 0 <= y + dy < rows and 0 <= x + dx < columns] for y in range(rows) for x in range(columns)]
                for coefficients in sets or [[0] * len(places)]]
        scales, offsets, strides = slices
        left = [product(shape) // len(scales)] * len(scales)
        seen = [[False, False] for _ in scales]
        n, half, tail, w = 1 << bits, 1 << bits - 1, self.tail, []
        for o in range(outs):
            for i in range(ins):
                for at in range(rows * columns):
                    y, x = divmod(at, columns)
                    s = o * strides[0] + i * strides[1] + y * strides[2] + x * strides[3]
                    scale, offset = scales[s], offsets[s]
                    mean = 128 * centre
                    for back, index, k in near[o % len(near)][at]:
                        if back <= o:
                            mean += k * (w[len(w) - index] - centre)
                    m = max(-2**19, min(2**19, 256 * half + 256 * (512 * mean - offset) // scale))
                    lv = max(0, min(160, level + levels[0][o] + levels[1][i] + levels[2][at]))
                    slope = scale * EIGHTH[lv & 7] >> (lv >> 3)

                    def normal(j):
                        v = (256 * j - 128 - m) * slope >> 20
                        a, p = abs(v) >> 10, abs(v) & 1023
                        t = 0 if a >= 192 else tail[a] - ((tail[a] - tail[a + 1]) * p >> 10)
                        return t if v < 0 else ONE - t

                    if ends:
                        start, stop = normal(1), normal(n - 1)
                        first = start - normal(0) if seen[s][0] else ONE // left[s]
                        last = normal(n) - stop if seen[s][1] else ONE // left[s]
                        body = ONE - first - min(last, ONE - first)
                        inverse = (1 << 40) // (stop - start) if stop > start else 0
                        v = self.symbol(n, lambda j: ((first + (((normal(j) - start) * inverse >> 16) * body >> 24)) * (ONE - n) >> 24) + j)
                        left[s] -= 1
                        seen[s][0] |= v == 0
                        seen[s][1] |= v == n - 1
                    else:
                        v = self.symbol(n, lambda j: (normal(j) * (ONE - n) >> 24) + j)
                    w.append(max(-32767, min(32767, scale * (v - half) + offset + 32768 >> 16)))
        return w, half
