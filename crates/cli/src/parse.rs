//! Values of arguments.

use std::ops::Range;

use nvc::frame::{PixelFormat, Ratio};
use nvc_media::{parse_range, parse_size as size};

/// `A..B`, `..B` or `A..`, half open.
pub fn parse_frames(text: &str) -> Result<Range<u64>, String> {
    let range = parse_range(text).ok_or_else(|| {
        format!("'{text}' is not a half-open range A..B of frames (as 0..48, 10.. or ..5)")
    })?;
    if range.is_empty() {
        let Range { start, end } = range;
        return Err(format!(
            "range {start}..{end} is empty (the start must be below the end)"
        ));
    }
    Ok(range)
}

/// `1/N`, N a power of two, or 1: how often sides are halved.
pub fn parse_scale(text: &str) -> Result<u8, String> {
    let n = match text.split_once('/') {
        Some(("1", n)) => n.parse().ok(),
        None if text == "1" => Some(1u32),
        _ => None,
    };
    n.filter(|n| n.is_power_of_two())
        .map(|n| n.ilog2() as u8)
        .ok_or_else(|| format!("'{text}' is not 1/2, 1/4 and so on (1 over a power of two, or 1)"))
}

/// `WxH`.
pub fn parse_size(text: &str) -> Result<(usize, usize), String> {
    size(text).ok_or_else(|| format!("'{text}' is not WIDTHxHEIGHT (as 1920x1080)"))
}

/// A number or a ratio `N/D` (or `N:D`).
pub fn parse_ratio(text: &str) -> Result<Ratio, String> {
    text.parse()
}

/// A pixel format by ffmpeg's name.
pub fn parse_format(text: &str) -> Result<PixelFormat, String> {
    PixelFormat::from_name(text).map_err(|e| e.to_string())
}
