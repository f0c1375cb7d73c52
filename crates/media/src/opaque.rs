//! A source without alpha as one with it, to compare with pictures that have it.

use super::source::{BoxedSource, FrameSource, Survey, Takes};
use nvc::error::Result;
use nvc::frame::{Chroma, Frame, PixelFormat, Plane, VideoInfo};

/// `source`, with a plane of alpha that hides all behind it where `format` has alpha and is else that
/// of the source: a file whose alpha is opaque everywhere is read without it.
pub fn with_alpha_of(source: BoxedSource, format: PixelFormat) -> BoxedSource {
    let mut info = *source.info();
    let lifted = match info.format.chroma {
        Chroma::Gray => Chroma::GrayAlpha,
        Chroma::Rgb => Chroma::Rgba,
        other => other,
    };
    let same = lifted == format.chroma && info.format.bit_depth == format.bit_depth;
    if !same || info.format == format {
        return source;
    }
    info.format = format;
    Box::new(Opaque { source, info })
}

struct Opaque {
    source: BoxedSource,
    info: VideoInfo,
}

impl FrameSource for Opaque {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        let mut frame = self.source.read()?;
        if let Some(f) = &mut frame {
            let (width, height) = (self.info.width, self.info.height);
            f.planes.push(Plane {
                width,
                height,
                data: vec![self.info.format.max_value(); width * height],
            });
        }
        Ok(frame)
    }

    fn skip(&mut self, n: u64) -> Result<u64> {
        self.source.skip(n)
    }

    fn frames_hint(&self) -> Option<u64> {
        self.source.frames_hint()
    }

    fn survey(&mut self) -> Result<Survey> {
        self.source.survey()
    }

    fn take_warnings(&mut self) -> Vec<String> {
        self.source.take_warnings()
    }

    fn takes(&self) -> Takes {
        self.source.takes()
    }
}
