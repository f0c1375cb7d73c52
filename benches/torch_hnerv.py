"""HNeRV (Chen et al., CVPR 2023) trained in PyTorch on the CPU, written from the publication: a yardstick for the fit of nvc.

    ffmpeg -i CLIP -pix_fmt rgb24 -f rawvideo - | torch_hnerv.py --size 640x320 --strides 5,4,2,2,2 --stem 41
    torch_hnerv.py frames.rgb --size 640x320 --strides 5,4,2,2,2 --stem 41 --epochs 30

ConvNeXt encoder, one block a stage; decoder of convolutions, pixel shuffles and GELUs, in float from first to last. L2 loss on
RGB in 0..1, Adam, the learning rate of crates/encoder/src/fit/schedule.rs for a fixed number of steps. PyTorch's own initial values in the
decoder, ConvNeXt's in the encoder.

Prints a JSON line about the network, one an epoch, and one of a last look at all frames without training. `psnr` is the mean of
the frames' PSNRs (RGB, dB, as published), `psnr_of_mse` the PSNR of their mean squared error. Those of an epoch are of the
outputs that its steps were taken from, so of a network that moves meanwhile; `seconds` is wall time, `cpu_seconds` of all threads.
"""
import argparse
import json
import math
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

REDUCE = 1.2
MIN_CHANNELS = 12
LATENT_CHANNELS = 16
ENCODER_CHANNELS = 64
WARM_UP = 0.05


class ChannelNorm(nn.LayerNorm):
    """Normalisation over the channels of `[batch, channels, rows, columns]`."""

    def __init__(self, channels):
        super().__init__(channels, eps=1e-6)

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNextBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, 4 * channels)
        self.contract = nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 1e-6))

    def forward(self, x):
        y = self.norm(self.spatial(x).permute(0, 2, 3, 1))
        y = self.contract(F.gelu(self.expand(y))) * self.scale
        return x + y.permute(0, 3, 1, 2)


def encoder(strides):
    layers, before = [], 3
    for i, s in enumerate(strides):
        channels = ENCODER_CHANNELS if i + 1 < len(strides) else LATENT_CHANNELS
        shrink = nn.Conv2d(before, channels, s, stride=s)
        layers += [shrink, ChannelNorm(channels)] if i == 0 else [ChannelNorm(before), shrink]
        layers.append(ConvNextBlock(channels))
        before = channels
    net = nn.Sequential(*layers)
    for m in net.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            nn.init.trunc_normal_(m.weight, std=0.02)
            nn.init.zeros_(m.bias)
    return net


class Decoder(nn.Module):
    def __init__(self, strides, stem):
        super().__init__()
        self.strides = strides
        self.stem = nn.Conv2d(LATENT_CHANNELS, stem, 1)
        self.stages = nn.ModuleList()
        self.channels = [stem]
        for i, s in enumerate(strides):
            before, kernel = self.channels[-1], min(1 + 2 * i, 5)
            self.channels.append(max(round(before / REDUCE), MIN_CHANNELS))
            self.stages.append(nn.Conv2d(before, self.channels[-1] * s * s, kernel, padding=kernel // 2))
        self.head = nn.Conv2d(self.channels[-1], 3, 3, padding=1)

    def forward(self, x):
        x = F.gelu(self.stem(x))
        for conv, s in zip(self.stages, self.strides):
            x = F.gelu(F.pixel_shuffle(conv(x), s))
        return 0.5 * torch.tanh(self.head(x)) + 0.5


class Hnerv(nn.Module):
    def __init__(self, strides, stem):
        super().__init__()
        self.up = math.prod(strides)
        self.encoder = encoder(strides)
        self.decoder = Decoder(strides, stem)

    def forward(self, x):
        rows, columns = x.shape[2:]
        padded = F.pad(x, (0, -columns % self.up, 0, -rows % self.up), mode="replicate")
        return self.decoder(self.encoder(padded))[:, :, :rows, :columns]


def read_frames(path, size, limit):
    """uint8 `[frames, 3, rows, columns]`."""
    columns, rows = size
    frame = rows * columns * 3
    with sys.stdin.buffer if path == "-" else open(path, "rb") as f:
        data = f.read(-1 if limit is None else limit * frame)
    if not data or len(data) % frame:
        sys.exit(f"{len(data)} bytes are no whole number of {columns}x{rows} rgb24 frames ({frame} bytes each)")
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).reshape(-1, rows, columns, 3).permute(0, 3, 1, 2).contiguous()


def rate(step, steps):
    """Learning rate of a step, relative to the peak."""
    t = (step + 0.5) / steps
    if t < WARM_UP:
        return 0.1 + 0.9 * t / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (t - WARM_UP) / (1 - WARM_UP)))


def squared_errors(output, frames):
    """Mean squared error of each frame."""
    return ((output - frames) ** 2).mean(dim=(1, 2, 3))


def psnr(mse):
    return -10 * math.log10(max(mse, 1e-10))


def summary(errors):
    return {
        "psnr": round(sum(map(psnr, errors)) / len(errors), 3),
        "psnr_of_mse": round(psnr(sum(errors) / len(errors)), 3),
    }


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def say(**fields):
    print(json.dumps(fields), flush=True)


def train(net, frames, a):
    opt = torch.optim.Adam(net.parameters(), lr=a.lr, betas=(0.9, 0.999))
    shuffler = torch.Generator().manual_seed(a.seed)
    steps = a.epochs * math.ceil(len(frames) / a.batch)
    step, seconds = 0, 0.0
    for epoch in range(1, a.epochs + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        errors = []
        for batch in torch.randperm(len(frames), generator=shuffler).split(a.batch):
            for group in opt.param_groups:
                group["lr"] = a.lr * rate(step, steps)
            goal = frames[batch].float() / 255
            mse = squared_errors(net(goal), goal)
            opt.zero_grad()
            mse.mean().backward()
            opt.step()
            errors += mse.tolist()
            step += 1
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        seconds += wall
        say(epoch=epoch, steps=step, **summary(errors), seconds=round(wall, 2), cpu_seconds=round(cpu, 2))
    return seconds


@torch.no_grad()
def evaluate(net, frames):
    exact, rounded = [], []
    for frame in frames.split(1):
        goal = frame.float() / 255
        output = net(goal)
        exact += squared_errors(output, goal).tolist()
        rounded += squared_errors((output * 255).round() / 255, goal).tolist()
    return summary(exact), summary(rounded)


def main():
    def size(text):
        columns, rows = map(int, text.split("x"))
        return columns, rows

    def numbers(text):
        return [int(n) for n in text.split(",")]

    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("input", nargs="?", default="-", help="raw rgb24 frames (default: standard input)")
    p.add_argument("--size", type=size, required=True, metavar="WxH")
    p.add_argument("--strides", type=numbers, default=[5, 4, 4, 2, 2], metavar="S,S,...", help="default: 5,4,4,2,2")
    p.add_argument("--stem", type=int, required=True, metavar="CHANNELS", help="channels after the stem")
    p.add_argument("--epochs", type=int, default=300)
    p.add_argument("--batch", type=int, default=2)
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--limit", type=int, metavar="N", help="only the first N frames")
    a = p.parse_args()

    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    frames = read_frames(a.input, a.size, a.limit)
    net = Hnerv(a.strides, a.stem)
    rows, columns = (-(-n // net.up) for n in frames.shape[2:])
    say(
        frames=len(frames),
        latent=[LATENT_CHANNELS, rows, columns],
        channels=net.decoder.channels,
        decoder_parameters=parameters(net.decoder),
        latent_values=len(frames) * LATENT_CHANNELS * rows * columns,
        encoder_parameters=parameters(net.encoder),
        torch=torch.__version__,
        threads=a.threads,
    )
    seconds = train(net, frames, a)
    exact, rounded = evaluate(net, frames)
    say(
        frames=len(frames),
        epochs=a.epochs,
        psnr=exact["psnr"],
        psnr_8bit=rounded["psnr"],
        psnr_of_mse=exact["psnr_of_mse"],
        psnr_of_mse_8bit=rounded["psnr_of_mse"],
        train_seconds=round(seconds, 1),
    )


main()
