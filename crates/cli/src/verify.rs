//! `nvc verify`: CRCs, structure and a full decode.

use super::args::{Simd, VerifyArgs};
use super::say::print_line;
use super::stream::{of_stream, open_stream, options};
use nvc::decoder::StreamDecoder;
use nvc::error::Result;
use nvc_media::{FrameSink, Md5Sink};

/// Decodes everything and prints what was checked.
pub fn run(a: &VerifyArgs) -> Result<()> {
    verify(a).map_err(|e| of_stream(&a.input, e))
}

fn verify(a: &VerifyArgs) -> Result<()> {
    let mut d = StreamDecoder::new(open_stream(&a.input)?, options(a.threads, Simd::Auto)?)?;
    let mut md5 = Md5Sink::new(None, d.info());
    d.decode(0..u64::MAX, &mut |_, f| md5.write(&f))?;
    let line = md5.finish()?.unwrap_or_default();
    print_line(&format!(
        "{}: ok, {} bytes, {} frames, {line}",
        a.input.display(),
        d.bytes_read(),
        d.frames_read()
    ))
}
