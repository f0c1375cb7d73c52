//! Latent pyramids for pictures.

use nvc::bitstream::header::PyramidHeader;
use nvc::frame::VideoInfo;
use nvc::network::pyramid::{Head, Pyramid};

/// Neighbours that the context network reads, and channels of hidden layers: of fits that have time
/// for larger networks and bits that pay for them, and of all others.
const LARGE: [u32; 2] = [24, 40];
const SMALL: [u32; 2] = [16, 24];
/// Iterations from which on larger networks find what they are worth.
const PATIENT: usize = 3500;
/// Bits of latents that pay for 4,500 more of weights.
const RICH: f64 = 60_000.0;
/// Luma samples of a picture, below which there are so many halvings.
const HALVINGS: [(usize, usize); 2] = [(1_000_000, 6), (3_000_000, 7)];
const MOST_HALVINGS: usize = 8;

/// Whether so many bits of latents pay for large networks, and teach a context network that starts
/// from nothing.
pub fn is_rich(bits: f64) -> bool {
    bits > RICH
}

/// The pyramid for a picture of `info` that is fitted by so many iterations, and whose latents will
/// take about so many bits.
pub fn for_picture(info: &VideoInfo, iterations: usize, bits: f64) -> Pyramid {
    let samples = info.width * info.height;
    let [contexts, hidden] = if iterations >= PATIENT && is_rich(bits) {
        LARGE
    } else {
        SMALL
    };
    let wanted = HALVINGS.iter().find(|(most, _)| samples < *most);
    let halvings = wanted.map_or(MOST_HALVINGS, |(_, h)| *h);
    // beyond one sample there is nothing to halve
    let useful = info.width.max(info.height).next_power_of_two().ilog2() as usize;
    let heads = Head::of(info.format.chroma);
    let least = heads.iter().map(|h| h.level).max().unwrap_or(0);
    let header = PyramidHeader {
        grids: 1 + halvings.min(useful).max(least) as u32,
        empty: 0,
        reach: 1,
        contexts,
        hidden,
    };
    Pyramid { header }
}
