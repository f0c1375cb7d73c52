"""The Laplace distribution over integers (4.8), for decode.py."""
from basics import need

ONE = 1 << 24


class Laplace:
    def __init__(self, tables):
        self.half_tail, self.rates = tables["HALF_TAIL"], tables["RATE"]

    def below(self, j, mean, rate):
        x = 256 * j - 128 - mean
        z = (abs(x) * rate) >> 16
        a, part = z >> 10, z & 1023
        tail = 0 if a >= 533 else self.half_tail[a] - (((self.half_tail[a] - self.half_tail[a + 1]) * part) >> 10)
        return tail if x < 0 else ONE - tail

    def integer(self, symbols, reach, mean, rate):
        """One of -reach..=reach; `symbols` decodes by counts (4.1)."""
        m = 2 * reach + 1

        def counts(j):
            g = 0 if j == 0 else ONE if j == m else self.below(j - reach, mean, rate)
            return ((g * (ONE - m)) >> 24) + j
        return symbols.symbol(m, counts) - reach

    def tensor(self, rd, symbols, side, n):
        """The values of a tensor of mode 3 or 4 (4.6)."""
        level = side.integer(rd, 6)
        need(0 <= level <= 36, "level of a scale")
        rate = (67108864, 47453133)[level & 1] >> (level >> 1)
        return [self.integer(symbols, 32767, 0, rate) for _ in range(n)]
