//! What is coded, and what is called with each decoded picture.

use nvc::error::Result;
use nvc::frame::Frame;
use nvc_media::BoxedSource;

/// Opens the reference anew; called once per encode and once for scoring.
pub type SourceFactory<'a> = &'a dyn Fn() -> Result<BoxedSource>;

/// Called with every pair of pictures that is scored: index, reference, decoded.
pub type FrameCallback<'a> = &'a mut dyn FnMut(u64, &Frame, &Frame) -> Result<()>;
