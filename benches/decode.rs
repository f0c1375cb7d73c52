//! Decoding: pictures of one network at each instruction level, and entropy coding of its weights,
//! both ways.
//!
//! `cargo bench --bench decode -- table [--threads N] [--rounds N]` prints the table of docs
//! instead of criterion's report.

#[path = "../tests/common/mod.rs"]
mod common;
mod decode_table;

use criterion::{Criterion, Throughput};
use nvc::entropy::tensor::{Syntax, blank_network, code_network};
use nvc::entropy::{Decoder, Encoder};
use nvc::frame::Chroma;
use nvc::synth::{SimdLevel, Synth};

fn pictures(c: &mut Criterion) {
    let info = common::info(416, 240, Chroma::Yuv420, 8);
    let g = common::random_group(&info, 1, 120_000.0, 1);
    let graph = g.arch.lower(&info, g.frames).expect("a graph");
    let mut group = c.benchmark_group("picture 416x240, 120k parameters");
    // multiply-accumulates as "elements": the report reads as MAC/s
    group
        .throughput(Throughput::Elements(graph.macs()))
        .sample_size(20);
    for level in SimdLevel::available().filter(|l| *l != SimdLevel::Reference) {
        let synth = Synth::new(&graph, &g.network, &info, level).expect("a network");
        let mut ws = synth.workspace();
        group.bench_function(level.name(), |b| {
            b.iter(|| synth.frames(&synth.source(0, &g.latents), &mut ws))
        });
    }
}

/// Both ways, at about four bits a weight, as fits end.
fn weights(c: &mut Criterion) {
    let info = common::info(416, 240, Chroma::Yuv420, 8);
    let mut g = common::random_group(&info, 1, 120_000.0, 1);
    let graph = g.arch.lower(&info, g.frames).expect("a graph");
    let mut rng = common::Rng(2);
    g.network
        .tensors
        .iter_mut()
        .flat_map(|t| &mut t.values)
        .for_each(|v| *v = rng.laplace(3, 100));
    let mut group = c.benchmark_group("entropy coding of weights");
    group
        .throughput(Throughput::Elements(graph.params()))
        .sample_size(20);
    for (name, syntax) in [
        ("plain", Syntax::Plain),
        (
            "modes",
            Syntax::Modes {
                previous: None,
                laws: false,
            },
        ),
    ] {
        let code = || {
            let mut e = Encoder::default();
            code_network(&mut e, &graph, &g.network, syntax).expect("coded");
            e.finish()
        };
        let (bytes, blank) = (code(), blank_network(&graph));
        println!(
            "{name}: {:.2} bits a weight",
            bytes.len() as f64 * 8.0 / graph.params() as f64
        );
        group.bench_function(format!("{name}, encoding"), |b| b.iter(code));
        group.bench_function(format!("{name}, decoding"), |b| {
            b.iter(|| {
                code_network(
                    &mut Decoder::new(&bytes, 0).expect("a stream"),
                    &graph,
                    &blank,
                    syntax,
                )
                .expect("decoded")
            })
        });
    }
}

fn main() {
    if std::env::args().any(|a| a == "table") {
        return decode_table::main();
    }
    let mut c = Criterion::default().configure_from_args();
    pictures(&mut c);
    weights(&mut c);
    c.final_summary();
}
