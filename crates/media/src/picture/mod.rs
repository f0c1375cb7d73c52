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
pub use file::{read_all, sniff};
pub use samples::frame_of;
pub use source::PictureSource;
