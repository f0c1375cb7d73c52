//! Decoding allocates by the tensor and by the plane, never by the symbol or the sample.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::{info, random_group};
use nvc::entropy::latent::code_latents;
use nvc::entropy::tensor::{Syntax, blank_network, code_network};
use nvc::entropy::{Decoder, Encoder};
use nvc::frame::Chroma;
use nvc::synth::{SimdLevel, Synth};

struct Counting;

thread_local! {
    /// Of this thread alone: the test harness has one of its own.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: passes everything on to the system's allocator
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // a thread that ends counts no more
        let _ = COUNT.try_with(|c| c.set(c.get() + 1));
        // SAFETY: the caller keeps to the contract, which is the same
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn counted<T>(f: impl FnOnce() -> T) -> (usize, T) {
    let before = COUNT.get();
    let out = f();
    (COUNT.get() - before, out)
}

#[test]
fn allocations_do_not_grow_with_symbols_or_samples() {
    let mut counts = Vec::new();
    for (scale, params) in [(1, 15_000.0), (3, 150_000.0)] {
        let info = info(208 * scale, 120 * scale, Chroma::Yuv420, 8);
        let g = random_group(&info, 4, params, 1);
        let graph = g.arch.lower(&info, g.frames).unwrap();
        let mut e = Encoder::default();
        code_network(&mut e, &graph, &g.network, Syntax::Plain).unwrap();
        let weights = e.finish();
        let blank = blank_network(&graph);
        let (network, _) = counted(|| {
            code_network(
                &mut Decoder::new(&weights, 0).unwrap(),
                &graph,
                &blank,
                Syntax::Plain,
            )
            .unwrap()
        });
        assert!(
            network < 8 + 3 * graph.tensors.len(),
            "{network} allocations for {} tensors",
            graph.tensors.len()
        );

        let mut e = Encoder::default();
        let mut values = g.latents.clone();
        code_latents(&mut e, graph.latent_shape(), 4, false, &mut values).unwrap();
        let coded = e.finish();
        let (latents, _) = counted(|| {
            code_latents(
                &mut Decoder::new(&coded, 0).unwrap(),
                graph.latent_shape(),
                4,
                false,
                &mut values,
            )
        });

        let synth = Synth::new(&graph, &g.network, &info, SimdLevel::detect()).unwrap();
        let mut ws = synth.workspace();
        let source = synth.source(0, &g.latents);
        let (frame, _) = counted(|| synth.frames(&source, &mut ws));
        assert!(
            frame < 16,
            "{frame} allocations for a picture of three planes"
        );
        counts.push((latents, frame, graph.params()));
    }
    assert!(
        counts[1].2 > 4 * counts[0].2,
        "the second network is not much larger: {counts:?}"
    );
    assert_eq!(
        (counts[0].0, counts[0].1),
        (counts[1].0, counts[1].1),
        "{counts:?}"
    );
}
