//! What takes frames.

use nvc::error::Result;
use nvc::frame::Frame;

/// A place that takes pictures.
pub trait FrameSink {
    /// Takes the next picture.
    fn write(&mut self, frame: &Frame) -> Result<()>;

    /// Ends the sequence and gives files their names. A returned line (the MD5) is meant for
    /// stdout.
    fn finish(&mut self) -> Result<Option<String>>;
}

/// A boxed sink.
pub type BoxedSink = Box<dyn FrameSink + Send>;

/// Takes frames and keeps nothing.
pub struct NullSink;

impl FrameSink for NullSink {
    fn write(&mut self, _: &Frame) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<String>> {
        Ok(None)
    }
}
