"""Conventions (1), fields (2.3) and errors, for decode.py."""


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


def product(shape):
    n = 1
    for d in shape:
        n *= d
    return n


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
