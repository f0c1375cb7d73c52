"""Pictures of the networks of `cargo bench --bench decode -- table` in PyTorch on the CPU, in float.

Prints `torch-LAYOUT NETWORK THREADS MIN MEDIAN`, milliseconds a picture.
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F

class Net(torch.nn.Module):
    def __init__(self, latent, stem, stages, subsampled):
        super().__init__()
        self.stem = torch.nn.Conv2d(latent, stem, 1)
        widths = [stem] + [c for _, _, c in stages]
        conv = lambda i, s: torch.nn.Conv2d(widths[i], s[2] * s[0] ** 2, s[1], padding=s[1] // 2)
        self.blocks = torch.nn.ModuleList(conv(i, s) for i, s in enumerate(stages))
        self.strides = [s for s, _, _ in stages]
        self.head = torch.nn.Conv2d(widths[-1], 1 if subsampled else 3, 3, padding=1)
        self.chroma = torch.nn.Conv2d(widths[-2], 2, 3, padding=1) if subsampled else None

    def forward(self, x):
        before = x = F.gelu(self.stem(x))
        for block, stride in zip(self.blocks, self.strides):
            before = x
            x = F.gelu(F.pixel_shuffle(block(x), stride))
        return self.head(x), self.chroma(before) if self.chroma else None


def shape(text):
    """`latent,rows,columns,stem,subsampled,stride:kernel:channels,...` as the table's --shape prints it."""
    head, stages = text.split(",")[:5], text.split(",")[5:]
    d, h, w, stem, sub = map(int, head)
    return d, (h, w), stem, [tuple(map(int, s.split(":"))) for s in stages], bool(sub)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--net", required=True)
    p.add_argument("--shape", required=True)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--layout", choices=["nchw", "nhwc"], required=True)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    latent, grid, stem, stages, subsampled = shape(a.shape)
    layout = torch.contiguous_format if a.layout == "nchw" else torch.channels_last
    net = Net(latent, stem, stages, subsampled).eval().to(memory_format=layout)
    x = torch.randn(1, latent, *grid).contiguous(memory_format=layout)
    times = []
    with torch.inference_mode():
        for i in range(a.rounds + 2):
            start = time.perf_counter()
            net(x)
            times.append(1e3 * (time.perf_counter() - start))
    times = times[2:]
    print(f"torch-{a.layout} {a.net} {a.threads} {min(times):.2f} {statistics.median(times):.2f}")


main()
