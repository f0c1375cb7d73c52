//! How large pictures may be.

use nvc::error::{Error, Result};

/// Largest width and height of a picture.
pub const MAX_SIDE: usize = 16384;

/// `WxH`.
pub fn parse_size(text: &str) -> Option<(usize, usize)> {
    let (width, height) = text.split_once('x')?;
    Some((width.parse().ok()?, height.parse().ok()?))
}

/// Checks the size of a source's pictures.
pub fn check_size(name: &str, width: usize, height: usize) -> Result<()> {
    for (what, side) in [("width", width), ("height", height)] {
        if side == 0 {
            return Err(Error::source(
                name,
                None,
                format!("picture {what} is 0 (allowed 1..={MAX_SIDE})"),
            ));
        }
        if side > MAX_SIDE {
            return Err(Error::Unsupported(format!(
                "{name}: picture {what} is {side} (allowed 1..={MAX_SIDE})"
            )));
        }
    }
    Ok(())
}
