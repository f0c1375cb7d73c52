//! Pictures: PNG, JPEG, WebP and GIF, still and animated.

mod animation;
mod color;
mod decode;
mod file;
mod jpeg;
mod png_info;
mod samples;
mod source;

pub use animation::{AnimationSource, is_animated};
#[cfg(test)]
pub use decode::decode;
pub use file::{read_all, sniff};
pub use samples::frame_of;
pub use source::PictureSource;
