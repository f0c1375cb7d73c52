//! Other codecs at the same size or at chosen qualities, scored by the same code: what a user would
//! get from x264, x265, SVT-AV1, VVenC, JPEG, AVIF and so on, or from a codec of one's own.
//!
//! External programs encode and decode; frames go to them and come back without any conversion but
//! the codec's own. What is run, why so, and which settings are weak: docs/anchors.md. The
//! encoder's identification message is not counted: it is up to 2.5 kB of text.

mod backend;
mod codec;
mod command;
mod external;
mod ffmpeg;
mod nal;
mod options;
mod perceptual;
mod picture;
mod picture_codecs;
mod pnm;
mod reference;
mod run;
mod search;
mod spec;
mod stream;
mod table;
mod version;
mod video;

pub use codec::Codec;
pub use command::ExternalCodec;
pub use ffmpeg::FFMPEG_VARIABLE;
pub use options::AnchorOptions;
pub use perceptual::{
    Measure, Perceptual, VMAF_MODEL, Wanted, Xpsnr, perceptual, perceptual_identity,
};
pub use reference::{FrameCallback, SourceFactory};
pub use run::{Anchor, run_anchor, run_anchor_at};
pub use spec::AnchorSpec;
pub use table::{TableRow, score_table};
pub use version::version;
