//! How a stream's colours are meant.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi::{AVColorPrimaries, AVColorSpace, AVColorTransferCharacteristic};
use ffmpeg_next::frame::Video;
use ffmpeg_next::packet::side_data::Type;

use super::notes;
use nvc::frame::{Chroma, ColorInfo, Range};

/// By its first picture and what stands beside the stream; `full` where the picture's format
/// itself means full range, `chroma` of the frames that are made of it.
pub fn of(first: &Video, stream: &[(Type, Vec<u8>)], chroma: Chroma, full: bool) -> ColorInfo {
    let range = match first.color_range() {
        _ if full => Range::Full,
        ffmpeg::color::Range::JPEG => Range::Full,
        ffmpeg::color::Range::MPEG => Range::Limited,
        ffmpeg::color::Range::Unspecified => Range::Unspecified,
    };
    let code = |c: u32| u8::try_from(c).unwrap_or(2);
    let matrix = code(AVColorSpace::from(first.color_space()) as u32);
    ColorInfo {
        primaries: code(AVColorPrimaries::from(first.color_primaries()) as u32),
        transfer: code(
            AVColorTransferCharacteristic::from(first.color_transfer_characteristic()) as u32,
        ),
        // Identity belongs to RGB alone; a YUV picture that claims it says nothing.
        matrix: if matrix == 0 && chroma != Chroma::Rgb {
            2
        } else {
            matrix
        },
        range,
        siting: if chroma == Chroma::Yuv420 {
            notes::siting(first)
        } else {
            Default::default()
        },
        light: notes::light(first, stream),
    }
}
