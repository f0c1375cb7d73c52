//! Pictures of a group, several at once, given out in order.

use std::ops::Range;

use crate::bitstream::Limits;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::synth::{Synth, Workspace};

/// Strips of a picture are not cut thinner than this: their neighbours' rows are computed twice.
const MIN_STRIP_ROWS: usize = 32;

/// A pool of `threads` workers, 0 = one a processor.
pub fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::io("starting threads", std::io::Error::other(e)))
}

/// Fails if `limits` do not allow what a pass holds.
pub fn check_limits(synth: &Synth, limits: &Limits) -> Result<()> {
    let what = "activations of a pass that is not fused";
    Limits::check(what, synth.unfused(), limits.pass_activations)
}

/// Computes the pictures `range` of a group with the latents `latents`, as many passes at once as
/// the pool has threads, and gives them out in order on this thread, with their index in the group,
/// while the next ones are computed.
pub fn frames(
    pool: &rayon::ThreadPool,
    synth: &Synth,
    latents: &[i16],
    range: Range<usize>,
    sink: &mut dyn FnMut(usize, Frame) -> Result<()>,
) -> Result<()> {
    let per_pass = synth.per_pass();
    let mut passes = range.start / per_pass..range.end.div_ceil(per_pass);
    let mut sink = |i: usize, f: Frame| {
        if range.contains(&i) {
            sink(i, f)
        } else {
            Ok(())
        }
    };
    passes_of(pool, synth, latents, &mut passes, &mut sink)
}

/// Computes the pictures of `passes`, as [`frames`].
pub fn passes_of(
    pool: &rayon::ThreadPool,
    synth: &Synth,
    latents: &[i16],
    passes: &mut dyn Iterator<Item = usize>,
    sink: &mut dyn FnMut(usize, Frame) -> Result<()>,
) -> Result<()> {
    let threads = pool.current_num_threads();
    let mut workers: Vec<Workspace> = Vec::new();
    let mut ready: Vec<(usize, Vec<Frame>)> = Vec::new();
    loop {
        let batch: Vec<usize> = passes.take(synth.at_once(threads)).collect();
        if workers.is_empty() || batch.len() < workers.len() {
            // fewer passes than threads are cut into strips
            let strips = (threads / batch.len().max(1))
                .min(synth.info().height / MIN_STRIP_ROWS)
                .max(1);
            workers = batch
                .iter()
                .map(|_| synth.workspace_in_strips(strips))
                .collect();
        }
        let mut pictures: Vec<Vec<Frame>> = batch.iter().map(|_| Vec::new()).collect();
        let mut result = Ok(());
        // the pictures of the batch before are given out meanwhile
        pool.in_place_scope(|scope| {
            for ((&pass, ws), out) in batch.iter().zip(&mut workers).zip(&mut pictures) {
                scope.spawn(move |_| *out = synth.frames(&synth.source(pass, latents), ws));
            }
            for (i, f) in ready.drain(..).flat_map(|(pass, f)| {
                f.into_iter()
                    .enumerate()
                    .map(move |(i, f)| (pass * synth.per_pass() + i, f))
            }) {
                result = sink(i, f);
                if result.is_err() {
                    break;
                }
            }
        });
        result?;
        ready = batch.into_iter().zip(pictures).collect();
        if ready.is_empty() {
            return Ok(());
        }
    }
}
