//! Animated PNG, GIF and WebP as frames.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use image::codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use image::{AnimationDecoder, DynamicImage, Frames, ImageFormat, ImageResult};

use super::color;
use super::file::{picture_error, sniff};
use super::png_info::png_info;
use super::samples::{frame_of, opaque};
use crate::aspect::{UNKNOWN, gcd, lowest};
use crate::cadence::{Constant, uneven};
use crate::size::check_size;
use crate::source::{FrameSource, Survey, Takes};
use crate::source_options::SourceOptions;
use nvc::error::{Error, Result};
use nvc::frame::{Frame, PixelFormat, Ratio, VideoInfo};

/// Pictures that wait for their reader.
const AHEAD: usize = 2;
/// What programs make of a delay of 0, in milliseconds.
const NO_DELAY: f64 = 100.0;
/// Most frames a second that a variable rate is resampled to unasked.
const MOST_RATE: u32 = 100;

type Bytes = Arc<[u8]>;

/// Frames of an animation, as they are shown.
pub struct AnimationSource {
    name: String,
    info: VideoInfo,
    frames: Receiver<Result<Option<Frame>>>,
    done: bool,
    count: u64,
    damage: Option<Error>,
    uneven: Option<String>,
    warnings: Vec<String>,
}

/// Whether a file of pictures holds more than one.
pub fn is_animated(bytes: &[u8]) -> bool {
    match sniff(bytes) {
        Some(ImageFormat::Png) => {
            PngDecoder::new(Cursor::new(bytes)).is_ok_and(|d| d.is_apng().unwrap_or(false))
        }
        Some(ImageFormat::WebP) => {
            WebPDecoder::new(Cursor::new(bytes)).is_ok_and(|d| d.has_animation())
        }
        Some(ImageFormat::Gif) => {
            GifDecoder::new(Cursor::new(bytes)).is_ok_and(|d| d.into_frames().take(2).count() == 2)
        }
        _ => false,
    }
}

fn frames(bytes: Bytes) -> ImageResult<Frames<'static>> {
    let kind = sniff(&bytes);
    let reader = Cursor::new(bytes);
    Ok(match kind {
        Some(ImageFormat::Png) => PngDecoder::new(reader)?.apng()?.into_frames(),
        Some(ImageFormat::WebP) => WebPDecoder::new(reader)?.into_frames(),
        _ => GifDecoder::new(reader)?.into_frames(),
    })
}

/// Milliseconds that a frame is shown.
fn delay(f: &image::Frame) -> f64 {
    let (n, d) = f.delay().numer_denom_ms();
    if n == 0 || d == 0 {
        NO_DELAY
    } else {
        f64::from(n) / f64::from(d)
    }
}

fn convert(f: image::Frame, name: &str) -> Result<(Frame, PixelFormat)> {
    let picture = DynamicImage::ImageRgba8(f.into_buffer());
    opaque(&picture, name)?;
    frame_of(&picture, name, &mut Vec::new())
}

impl AnimationSource {
    /// Decodes all frames once, for their times, and again as they are read.
    pub fn open(bytes: Vec<u8>, name: &str, opts: &SourceOptions) -> Result<Self> {
        let bytes: Bytes = bytes.into();
        let mut delays = Vec::new();
        let (mut size, mut format, mut damage) = (None, None, None);
        for f in frames(bytes.clone()).map_err(|e| picture_error(name, e))? {
            let frame = f.map_err(|e| picture_error(name, e)).and_then(|f| {
                let (w, h) = f.buffer().dimensions();
                check_size(name, w as usize, h as usize)?;
                size.get_or_insert((w as usize, h as usize));
                let shown = delay(&f);
                format = Some(convert(f, name)?.1);
                Ok(shown)
            });
            match frame {
                Ok(shown) => delays.push(shown),
                Err(e) => {
                    damage = Some(e);
                    break;
                }
            }
        }
        let (Some((width, height)), Some(format)) = (size, format) else {
            return Err(
                damage.unwrap_or_else(|| Error::source(name, None, "an animation without frames"))
            );
        };
        let mut warnings = Vec::new();
        let icc = icc(&bytes);
        let color = color::of(
            png_info(&bytes).as_ref(),
            icc.as_deref(),
            format,
            &mut warnings,
        );
        let same = delays.iter().all(|d| (d - delays[0]).abs() < 1e-6);
        let resample = opts.vfr_to_cfr && !same;
        let natural = if same {
            rate(delays[0])
        } else {
            rate(common(&delays))
        };
        let fps = opts.fps.unwrap_or(
            if f64::from(natural.num) / f64::from(natural.den) > f64::from(MOST_RATE) && !same {
                Ratio {
                    num: MOST_RATE,
                    den: 1,
                }
            } else {
                natural
            },
        );
        let info = VideoInfo {
            fps,
            sar: UNKNOWN,
            color,
            ..VideoInfo::new(width, height, format)
        };
        let uneven = (!same && !resample && opts.fps.is_none()).then(|| {
            let (least, most) = delays
                .iter()
                .fold((f64::INFINITY, 0f64), |(a, b), &d| (a.min(d), b.max(d)));
            format!(
                "{} pictures are shown for {least:.0} to {most:.0} ms",
                delays.len()
            )
        });
        let total: f64 = delays.iter().sum::<f64>() / 1e3;
        let count = if resample {
            (total * f64::from(fps.num) / f64::from(fps.den))
                .round()
                .max(1.0) as u64
        } else {
            delays.len() as u64
        };
        let (send, receive) = sync_channel(AHEAD);
        let (at, whole) = (name.to_string(), damage.is_none());
        std::thread::spawn(move || {
            run(
                bytes,
                &at,
                delays.len(),
                whole,
                resample.then(|| Constant::new(fps)),
                &send,
            )
        });
        Ok(AnimationSource {
            name: name.into(),
            info,
            frames: receive,
            done: false,
            count,
            damage,
            uneven,
            warnings,
        })
    }
}

/// Frames a second of a delay in milliseconds.
fn rate(ms: f64) -> Ratio {
    // delays are hundredths or thousandths of a second, or ratios of small numbers
    let (num, den) = lowest(1_000_000, (ms * 1000.0).round().max(1.0) as u64);
    Ratio {
        num: num as u32,
        den: den as u32,
    }
}

/// The largest time of whole milliseconds of which all delays are multiples.
fn common(delays: &[f64]) -> f64 {
    delays
        .iter()
        .fold(0, |a, d| gcd(d.round().max(1.0) as u64, a)) as f64
}

fn icc(bytes: &[u8]) -> Option<Vec<u8>> {
    use image::ImageDecoder;
    match sniff(bytes)? {
        ImageFormat::Png => PngDecoder::new(Cursor::new(bytes))
            .ok()?
            .icc_profile()
            .ok()?,
        ImageFormat::WebP => WebPDecoder::new(Cursor::new(bytes))
            .ok()?
            .icc_profile()
            .ok()?,
        _ => None,
    }
}

/// Sends `count` frames, then the end if the animation is `whole`, else what is wrong.
fn run(
    bytes: Bytes,
    name: &str,
    count: usize,
    whole: bool,
    constant: Option<Constant<Frame>>,
    out: &SyncSender<Result<Option<Frame>>>,
) {
    let mut constant = constant;
    let mut give = |frame: Frame| out.send(Ok(Some(frame)));
    let mut time = 0.0;
    let again = match frames(bytes).map_err(|e| picture_error(name, e)) {
        Ok(f) => f,
        Err(e) => return drop(out.send(Err(e))),
    };
    let take = if whole { count } else { count + 1 };
    for f in again.take(take) {
        let frame = f.map_err(|e| picture_error(name, e)).and_then(|f| {
            let shown = delay(&f);
            Ok((convert(f, name)?.0, shown))
        });
        let sent = match (frame, &mut constant) {
            (Ok((frame, _)), None) => give(frame),
            (Ok((frame, shown)), Some(c)) => {
                let sent = c.push(frame, time, &mut give);
                time += shown / 1e3;
                sent
            }
            (Err(e), _) => return drop(out.send(Err(e))),
        };
        // the receiver was dropped: discard the rest
        if sent.is_err() {
            return;
        }
    }
    if constant.is_none_or(|mut c| c.end(time, &mut give).is_ok()) {
        let _ = out.send(Ok(None));
    }
}

impl FrameSource for AnimationSource {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        if self.done {
            return Ok(None);
        }
        let gone = |_| {
            Err(Error::Unsupported(format!(
                "{}: the animation's decoder stopped unexpectedly",
                self.name
            )))
        };
        let frame = self.frames.recv().unwrap_or_else(gone);
        self.done = !matches!(frame, Ok(Some(_)));
        frame
    }

    fn frames_hint(&self) -> Option<u64> {
        Some(self.count)
    }

    fn survey(&mut self) -> Result<Survey> {
        match &self.uneven {
            Some(what) => Err(uneven(&self.name, what)),
            None => Ok(Survey {
                frames: Some(self.count),
                damage: self.damage.take(),
            }),
        }
    }

    fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn takes(&self) -> Takes {
        Takes {
            fps: true,
            vfr_to_cfr: true,
            ..Takes::default()
        }
    }
}
