//! The table of decoding speeds.

mod ceiling;
mod families;

use std::time::Instant;

use nvc::decoder;
use nvc::frame::{Chroma, VideoInfo};
use nvc::group::Group;
use nvc::network::Arch;
use nvc::network::Graph;
use nvc::synth::{SimdLevel, Synth};

/// The word after `name`.
fn word(name: &str) -> Option<String> {
    let args: Vec<String> = std::env::args().collect();
    args.iter()
        .position(|a| a == name)
        .and_then(|i| args.get(i + 1).cloned())
}

fn number(name: &str, default: usize) -> usize {
    word(name).map_or(default, |v| {
        v.parse().unwrap_or_else(|e| panic!("{name} {v}: {e}"))
    })
}

/// As `torch_decode.py` reads it.
fn shape(arch: &Arch, info: &VideoInfo) -> String {
    let Arch::Hnerv(h) = arch else {
        panic!("the table's networks are HNeRVs")
    };
    let stages: Vec<String> = h
        .stages
        .iter()
        .map(|s| format!("{}:{}:{}", s.stride, s.kernel, s.channels))
        .collect();
    let sub = u8::from(info.format.chroma == Chroma::Yuv420);
    let g = &h.header;
    format!(
        "{},{},{},{},{sub},{}",
        g.latent_channels,
        g.latent_height,
        g.latent_width,
        g.stem_channels,
        stages.join(",")
    )
}

/// Seconds a picture of each round.
fn measure(
    group: &Group,
    graph: &Graph,
    info: &VideoInfo,
    level: SimdLevel,
    threads: usize,
    rounds: usize,
) -> Vec<f64> {
    let pool = decoder::pool(threads).expect("threads");
    let synth = Synth::new(graph, &group.network, info, level).expect("a network");
    let count = synth.per_pass()
        * if graph.macs() > 5_000_000_000 || level == SimdLevel::Reference {
            threads
        } else {
            8 * threads
        };
    let latents = group.latents[..graph.latent_len()].repeat(count);
    let mut times = Vec::new();
    for round in 0..=rounds {
        let start = Instant::now();
        decoder::frames(&pool, &synth, &latents, 0..count, &mut |_, _| Ok(())).expect("frames");
        // the first finds cold caches and sleeping threads
        if round > 0 {
            times.push(start.elapsed().as_secs_f64() / count as f64);
        }
    }
    times.sort_by(f64::total_cmp);
    times
}

/// Prints milliseconds a picture and what share of the processor's multiply-adds they would take
/// one by one.
pub fn main() {
    let (threads, rounds) = (number("--threads", 2), number("--rounds", 7));
    let (only_level, only_net) = (word("--level"), word("--net"));
    let flag = |name: &str| std::env::args().any(|a| a == name);
    let (shapes, brief) = (flag("--shapes"), flag("--brief"));
    if !shapes && !brief {
        println!("{threads} threads, {rounds} rounds");
        println!(
            "| network | level | ms/frame best, median | fps | GMAC/s | ceiling GMAC/s | share |"
        );
        println!("|---|---|---|---|---|---|---|");
    }
    for (name, make) in families::ALL {
        if only_net.as_ref().is_some_and(|n| n != name) {
            continue;
        }
        let (info, group) = make();
        let graph = group.arch.lower(&info, group.frames).expect("a graph");
        if shapes {
            if !matches!(group.arch, Arch::Hnerv(_)) {
                continue;
            }
            println!("{name} {}", shape(&group.arch, &info));
            continue;
        }
        // the reference only where it is asked for
        for level in
            SimdLevel::available().filter(|l| *l != SimdLevel::Reference || only_level.is_some())
        {
            let wanted = |n: &str| n == level.name() || n == "best" && level == SimdLevel::detect();
            if only_level.as_deref().is_some_and(|n| !wanted(n)) {
                continue;
            }
            let times = measure(&group, &graph, &info, level, threads, rounds);
            let (best, median) = (times[0], times[times.len() / 2]);
            if brief {
                println!("nvc {name} {threads} {:.2} {:.2}", best * 1e3, median * 1e3);
                continue;
            }
            let (top, rate) = (
                ceiling::gmacs(level, threads),
                graph.macs() as f64 / graph.frames as f64 / median / 1e9,
            );
            let (share, fps) = (100.0 * rate / top, 1.0 / median);
            println!(
                "| {name} | {} | {:.2}, {:.2} | {fps:.1} | {rate:.1} | {top:.1} | {share:.0} % |",
                level.name(),
                best * 1e3,
                median * 1e3
            );
        }
    }
}
