"""The network of train_step.rs in PyTorch on the CPU.

    torch_train_step.py [--batch N] [--threads N] [--steps N] [--layout nchw|nhwc]

Prints `torch-LAYOUT batch threads min_ms median_ms`.
"""
import argparse
import time

import torch
import torch.nn.functional as F

# input channels, channels before the shuffle, kernel, shuffle
LAYERS = [(16, 48, 1, 1), (48, 1000, 1, 5), (40, 297, 3, 3), (33, 112, 5, 2), (28, 92, 5, 2), (23, 3, 3, 1)]


class Net(torch.nn.Module):
    def __init__(self, batch):
        super().__init__()
        self.emb = torch.nn.Parameter(torch.randn(batch, 16, 4, 7))
        self.convs = torch.nn.ModuleList(torch.nn.Conv2d(i, o, k, padding=k // 2) for i, o, k, _ in LAYERS)

    def forward(self, layout):
        x = self.emb.contiguous(memory_format=layout)
        for i, (conv, (_, _, _, r)) in enumerate(zip(self.convs, LAYERS)):
            x = conv(x)
            if r > 1:
                x = F.pixel_shuffle(x, r)
            if i + 1 < len(LAYERS):
                x = F.gelu(x)
        return x


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--steps", type=int, default=12)
    p.add_argument("--layout", choices=["nchw", "nhwc"], default="nchw")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    layout = torch.channels_last if a.layout == "nhwc" else torch.contiguous_format
    net = Net(a.batch).to(memory_format=layout)
    target = torch.rand(a.batch, 3, 240, 420).contiguous(memory_format=layout)
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    times = []
    for i in range(a.steps + 2):
        start = time.perf_counter()
        loss = ((net(layout) - target) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        loss.item()
        if i >= 2:
            times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    print(f"torch-{a.layout} {a.batch} {a.threads} {times[0]:.1f} {times[len(times) // 2]:.1f}", flush=True)


main()
