//! A source without alpha as one with it, to compare with pictures that have it.

use super::mapped::Mapped;
use super::source::BoxedSource;
use nvc::frame::{Chroma, PixelFormat, Plane};

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
    let (width, height) = (info.width, info.height);
    Box::new(Mapped::new(source, info, move |mut f| {
        f.planes.push(Plane {
            width,
            height,
            data: vec![format.max_value(); width * height],
        });
        f
    }))
}
