//! What is coded, and who looks on.

use nvc::error::Result;
use nvc::frame::Frame;
use nvc_media::BoxedSource;

/// Opens the reference anew; called once per encode and once for scoring.
pub type Reopen<'a> = &'a dyn Fn() -> Result<BoxedSource>;

/// Sees every pair of pictures that is scored: index, reference, decoded.
pub type Observer<'a> = &'a mut dyn FnMut(u64, &Frame, &Frame) -> Result<()>;
