//! The table of decoding speeds.

mod ceiling;

use std::time::Instant;

use nvc::decoder;
use nvc::frame::Chroma;
use nvc::synth::{Level, Synth};

use crate::common;

/// The value after `name`.
fn argument(name: &str, default: usize) -> usize {
    let args: Vec<String> = std::env::args().collect();
    let at = args.iter().position(|a| a == name);
    at.and_then(|i| args.get(i + 1)).map_or(default, |v| v.parse().unwrap_or_else(|e| panic!("{name} {v}: {e}")))
}

/// The word after `name`.
fn word(name: &str) -> Option<String> {
    let args: Vec<String> = std::env::args().collect();
    args.iter().position(|a| a == name).and_then(|i| args.get(i + 1).cloned())
}

/// Median.
fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(f64::total_cmp);
    v[v.len() / 2]
}

/// Prints milliseconds a frame and what share of the processor's multiply-adds they use.
pub fn main() {
    let (threads, rounds) = (argument("--threads", 2), argument("--rounds", 7));
    let (only_level, only_net) = (word("--level"), word("--net"));
    println!("{threads} threads, median of {rounds} rounds");
    println!("| network | level | ms/frame | fps | GMAC/s | ceiling GMAC/s | share |");
    println!("|---|---|---|---|---|---|---|");
    for (name, info, params, frames) in [
        ("hnerv-0.1m", common::info(416, 240, Chroma::Yuv420, 8), 100_000.0, 1),
        ("hnerv-1.5m", common::info(1280, 640, Chroma::Rgb, 8), 1.5e6, 132),
    ] {
        if only_net.as_ref().is_some_and(|n| n != name) {
            continue;
        }
        let mut g = common::random_group(&info, frames, params, 1);
        let graph = g.arch.lower(&info).expect("a graph");
        g.latents.truncate(graph.latent_len());
        let pool = decoder::pool(threads).expect("threads");
        for level in Level::available().filter(|l| *l != Level::Reference) {
            if only_level.as_ref().is_some_and(|n| n != level.name()) {
                continue;
            }
            let synth = Synth::new(&graph, &g.network, &info, level).expect("a network");
            let count = if graph.macs() > 5_000_000_000 { threads } else { 8 * threads };
            let latents = g.latents.repeat(count);
            let mut times = Vec::new();
            for round in 0..=rounds {
                let start = Instant::now();
                decoder::frames(&pool, &synth, &latents, graph.latent_len(), count, &mut |_, _| Ok(())).expect("frames");
                if round > 0 {
                    times.push(start.elapsed().as_secs_f64() / count as f64);
                }
            }
            let (s, top) = (median(times), ceiling::gmacs(level, threads));
            let rate = graph.macs() as f64 / s / 1e9;
            println!(
                "| {name} | {} | {:.2} | {:.1} | {rate:.1} | {top:.1} | {:.0} % |",
                level.name(),
                s * 1e3,
                1.0 / s,
                100.0 * rate / top
            );
        }
    }
}
