//! Arguments that say what a source is.

use clap::Args;

use crate::parse::{parse_format, parse_ratio, parse_size};
use nvc::frame::{PixelFormat, Ratio};
use nvc_media::SourceOptions;

/// Arguments that say what a raw source is.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Input")]
pub struct SourceArgs {
    /// Width and height of raw .yuv input.
    #[arg(long, value_name = "WxH", value_parser = parse_size)]
    pub size_in: Option<(usize, usize)>,
    /// Pixel format of raw .yuv input: gray, yuv420p, yuv444p, gbrp, or with 10le (default
    /// yuv420p).
    #[arg(long, value_name = "FORMAT", value_parser = parse_format)]
    pub pix_fmt: Option<PixelFormat>,
    /// Frame rate of raw input and pictures, as 25 or 30000/1001 (default 25), and the one that
    /// --vfr-to-cfr gives.
    #[arg(long, value_name = "RATE", value_parser = parse_ratio)]
    pub fps: Option<Ratio>,
    /// Number of the first of numbered pictures (default: the lowest there is).
    #[arg(long, value_name = "N")]
    pub start_number: Option<u64>,
    /// Bring a variable frame rate to a constant one: pictures are repeated and dropped, the
    /// duration stays.
    #[arg(long)]
    pub vfr_to_cfr: bool,
}

impl SourceArgs {
    /// The same as options of the source.
    pub fn options(&self) -> SourceOptions {
        let SourceArgs {
            size_in,
            pix_fmt,
            fps,
            start_number,
            vfr_to_cfr,
        } = *self;
        SourceOptions {
            size_in,
            pix_fmt,
            fps,
            start_number,
            vfr_to_cfr,
        }
    }
}
