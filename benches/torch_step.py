"""The networks of step.rs in PyTorch on the CPU.

    torch_step.py NETWORK [--batch N] [--threads N] [--steps N] [--layout nchw|nhwc]

Prints `torch-LAYOUT NETWORK batch threads min_ms median_ms`. HNeRV's shapes are those that step.rs derives.
"""
import argparse
import time

import torch
import torch.nn.functional as F

# latent shape, then (input channels, channels before the shuffle, kernel, shuffle); heads: (index of the layer read, outputs, kernel)
HNERV = {
    "hnerv-0.1m": (
        (4, 4, 7),
        [(4, 26, 1, 1), (26, 550, 1, 5), (22, 162, 3, 3), (18, 60, 5, 2), (15, 48, 5, 2)],
        [(4, 1, 3), (3, 2, 3)],
    ),
    "hnerv-0.75m": (
        (16, 2, 4),
        [(16, 48, 1, 1), (48, 1000, 1, 5), (40, 528, 3, 4), (33, 448, 5, 4), (28, 92, 5, 2), (23, 76, 5, 2)],
        [(5, 3, 3)],
    ),
}


class Hnerv(torch.nn.Module):
    def __init__(self, batch, latent, layers, heads):
        super().__init__()
        self.latent = torch.nn.Parameter(torch.randn(batch, *latent))
        self.shuffles = [r for *_, r in layers]
        self.convs = torch.nn.ModuleList(torch.nn.Conv2d(i, o, k, padding=k // 2) for i, o, k, _ in layers)
        self.reads = [at for at, *_ in heads]
        self.heads = torch.nn.ModuleList(
            torch.nn.Conv2d(layers[at][1] // layers[at][3] ** 2, o, k, padding=k // 2) for at, o, k in heads
        )

    def forward(self, layout):
        x, after = self.latent.contiguous(memory_format=layout), []
        for conv, r in zip(self.convs, self.shuffles):
            x = conv(x)
            x = F.gelu(F.pixel_shuffle(x, r) if r > 1 else x)
            after.append(x)
        return [head(after[at]) for head, at in zip(self.heads, self.reads)]


class Scrb(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.depthwise = torch.nn.Conv2d(c, c, 3, padding=1, groups=c)
        self.mix = torch.nn.Conv2d(c, c, 1)

    def forward(self, x):
        return x + self.mix(F.silu(self.depthwise(x)))


class NervPpStage(torch.nn.Module):
    def __init__(self, c, out, s):
        super().__init__()
        self.s = s
        self.first, self.last = Scrb(c), Scrb(out)
        self.conv = torch.nn.Conv2d(c, out * s * s, 3, padding=1)
        self.skip = torch.nn.Conv2d(c, out, 1)

    def forward(self, x):
        u = F.silu(F.pixel_shuffle(self.conv(self.first(x)), self.s))
        up = F.interpolate(x, scale_factor=self.s, mode="bilinear", align_corners=False)
        return self.last(u) + self.skip(up)


class NervPp(torch.nn.Module):
    def __init__(self, batch):
        super().__init__()
        self.latent = torch.nn.Parameter(torch.randn(batch, 80))
        self.mlp = torch.nn.Sequential(torch.nn.Linear(80, 512), torch.nn.SiLU(), torch.nn.Linear(512, 26 * 9 * 16), torch.nn.SiLU())
        sizes = [(26, 26, 5), (26, 80, 2), (80, 80, 2), (80, 80, 2), (80, 80, 2)]
        self.stages = torch.nn.Sequential(*(NervPpStage(*s) for s in sizes))
        self.head = torch.nn.Conv2d(80, 3, 1)

    def forward(self, layout):
        x = self.mlp(self.latent).reshape(-1, 26, 9, 16).contiguous(memory_format=layout)
        return [self.head(self.stages(x))]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("network", choices=[*HNERV, "nervpp-s"])
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--steps", type=int, default=12)
    p.add_argument("--layout", choices=["nchw", "nhwc"], default="nchw")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    layout = torch.channels_last if a.layout == "nhwc" else torch.contiguous_format
    net = NervPp(a.batch) if a.network == "nervpp-s" else Hnerv(a.batch, *HNERV[a.network])
    net = net.to(memory_format=layout)
    targets = None
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    times = []
    for i in range(a.steps + 2):
        start = time.perf_counter()
        outputs = net(layout)
        if targets is None:
            targets = [torch.rand(o.shape).contiguous(memory_format=layout) for o in outputs]
        loss = sum(((o - t) ** 2).mean() for o, t in zip(outputs, targets))
        opt.zero_grad()
        loss.backward()
        opt.step()
        loss.item()
        if i >= 2:
            times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    print(f"torch-{a.layout} {a.network} {a.batch} {a.threads} {times[0]:.1f} {times[len(times) // 2]:.1f}", flush=True)


main()
