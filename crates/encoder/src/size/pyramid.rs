//! Latent pyramids for pictures.

use nvc::bitstream::header::PyramidHeader;
use nvc::frame::VideoInfo;
use nvc::network::pyramid::{Head, Pyramid};

/// Neighbours that the context network reads, and channels of hidden layers.
const CONTEXTS: u32 = 16;
const HIDDEN: u32 = 24;
/// Luma samples of a picture, below which there are so many halvings.
const HALVINGS: [(usize, usize); 2] = [(1_000_000, 6), (3_000_000, 7)];
const MOST_HALVINGS: usize = 8;

/// The pyramid for pictures of `info`, before anything is known of its latents.
pub fn for_picture(info: &VideoInfo) -> Pyramid {
    let samples = info.width * info.height;
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
        contexts: CONTEXTS,
        hidden: HIDDEN,
    };
    Pyramid { header }
}
