//! What pictures hold, and how they share a size.

use super::content::{Content, at_one_price};
use super::price::{FIRST_PRICES, WEIGHTS};
use crate::pyramid::{Plane, integers};
use nvc::frame::{Chroma, Frame, VideoInfo};

/// What a picture of `info` holds, from its planes as they are fitted.
pub(super) fn content(info: &VideoInfo, planes: &[Plane]) -> Content {
    let gbr = matches!(info.format.chroma, Chroma::Rgb | Chroma::Rgba);
    Content::of(planes, info.width * info.height, gbr)
}

/// Shares of `bits` for pictures by themselves: of 1 in all.
pub(super) fn of_pictures<'a>(
    frames: impl Iterator<Item = &'a Frame>,
    info: &VideoInfo,
    bits: f64,
) -> Vec<f64> {
    let pictures: Vec<Content> = frames
        .map(|f| content(info, &integers::planes(info, f)))
        .collect();
    let each = at_one_price(&pictures, WEIGHTS, bits, FIRST_PRICES);
    // the forecast may be that even the lowest price leaves bits over
    let all: f64 = each.iter().sum();
    each.iter().map(|b| b / all).collect()
}
