//! Any container and codec that ffmpeg reads.
//!
//! The decoder runs on a thread of its own, a few pictures ahead of its reader.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi::{AVColorPrimaries, AVColorSpace, AVColorTransferCharacteristic};
use ffmpeg_next::format::{Pixel, context::Input};
use ffmpeg_next::frame::Video;
use ffmpeg_next::software::scaling::{Context as Scaler, Flags};

use super::{FrameSource, check_size};
use crate::error::{Error, Result};
use crate::frame::{Chroma, ColorInfo, Frame, PixelFormat, Range, Ratio, VideoInfo};

const AHEAD: usize = 4;

struct Opened {
    info: VideoInfo,
    hint: Option<u64>,
    stream: usize,
    warnings: Vec<String>,
}

/// Pictures of the best video stream of a file.
pub struct MediaSource {
    opened: Opened,
    /// Packets of the stream, once someone has asked.
    packets: OnceLock<Option<u64>>,
    frames: Receiver<Result<Option<Frame>>>,
    done: bool,
    name: String,
}

impl MediaSource {
    /// Opens a file and decodes its first picture, which settles format and colour.
    pub fn open(path: &str) -> Result<Self> {
        let (open_send, open_receive) = sync_channel(1);
        let (send, frames) = sync_channel(AHEAD);
        let name = path.to_string();
        std::thread::spawn(move || Worker::run(&name, &open_send, &send));
        let opened = open_receive.recv().unwrap_or_else(|_| Err(stopped(path)))?;
        Ok(MediaSource { opened, packets: OnceLock::new(), frames, done: false, name: path.into() })
    }
}

impl FrameSource for MediaSource {
    fn info(&self) -> &VideoInfo {
        &self.opened.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        if self.done {
            return Ok(None);
        }
        let frame = self.frames.recv().unwrap_or_else(|_| Err(stopped(&self.name)));
        self.done = !matches!(frame, Ok(Some(_)));
        frame
    }

    fn frames_hint(&self) -> Option<u64> {
        self.opened.hint.or_else(|| *self.packets.get_or_init(|| count(&self.name, self.opened.stream)))
    }

    fn warnings(&self) -> &[String] {
        &self.opened.warnings
    }
}

/// Packets of a stream, for containers that say neither its frames nor its duration. Reads the whole file once.
fn count(name: &str, stream: usize) -> Option<u64> {
    std::fs::metadata(name).ok().filter(|m| m.is_file())?;
    let mut input = ffmpeg::format::input(Path::new(name)).ok()?;
    let packets = input.packets().filter(|(s, _)| s.index() == stream).count() as u64;
    Some(packets).filter(|&n| n > 0)
}

fn stopped(name: &str) -> Error {
    Error::Unsupported(format!("{name}: the media decoder stopped unexpectedly"))
}

/// Everything that lives on the decoder's thread.
struct Worker {
    name: String,
    input: Input,
    stream: usize,
    decoder: ffmpeg::decoder::Video,
    draining: bool,
    conversion: Option<(Pixel, Scaler)>,
}

impl Worker {
    fn run(name: &str, opened: &SyncSender<Result<Opened>>, frames: &SyncSender<Result<Option<Frame>>>) {
        let (mut worker, info, first) = match Worker::open(name) {
            Ok((worker, first, o)) => {
                let info = o.info;
                if opened.send(Ok(o)).is_err() {
                    return;
                }
                (worker, info, first)
            }
            Err(e) => {
                let _ = opened.send(Err(e));
                return;
            }
        };
        let mut picture = Some(first);
        while let Some(p) = picture {
            let frame = worker.copy(&p, &info);
            let failed = frame.is_err();
            // A reader that went away wants no more pictures.
            if frames.send(frame.map(Some)).is_err() || failed {
                return;
            }
            picture = match worker.next() {
                Ok(p) => p,
                Err(e) => {
                    let _ = frames.send(Err(e));
                    return;
                }
            };
        }
        let _ = frames.send(Ok(None));
    }

    fn open(name: &str) -> Result<(Worker, Video, Opened)> {
        let fail = |what: &str, e: ffmpeg::Error| match e {
            ffmpeg::Error::InvalidData => Error::Unsupported(format!("{name}: {what}: not a media file that ffmpeg knows")),
            ffmpeg::Error::Other { errno } => Error::io(format!("{what} {name}"), std::io::Error::from_raw_os_error(errno)),
            e => Error::Unsupported(format!("{name}: {what}: {e}")),
        };
        ffmpeg::init().map_err(|e| fail("starting ffmpeg", e))?;
        ffmpeg::log::set_level(ffmpeg::log::Level::Error);
        let input = ffmpeg::format::input(Path::new(name)).map_err(|e| fail("opening", e))?;
        let best = input.streams().best(ffmpeg::media::Type::Video);
        let best = best.ok_or_else(|| Error::Unsupported(format!("{name}: no video stream")))?;
        let rate = [best.avg_frame_rate(), best.rate()].into_iter().find_map(ratio).unwrap_or(Ratio { num: 25, den: 1 });
        let (stream, counted) = (best.index(), u64::try_from(best.frames()).ok().filter(|&n| n > 0));
        let seconds = best.duration() as f64 * f64::from(best.time_base());
        let estimated = (seconds > 0.0).then(|| (seconds * f64::from(rate.num) / f64::from(rate.den)).round() as u64);
        let mut context = ffmpeg::codec::Context::from_parameters(best.parameters()).map_err(|e| fail("opening decoder", e))?;
        context.set_threading(ffmpeg::threading::Config::kind(ffmpeg::threading::Type::Frame));
        let decoder = context.decoder().video().map_err(|e| fail("opening decoder", e))?;
        let mut worker = Worker { name: name.into(), input, stream, decoder, draining: false, conversion: None };
        let first = worker.next()?.ok_or_else(|| Error::Unsupported(format!("{name}: the video stream has no picture")))?;

        let (width, height) = (first.width() as usize, first.height() as usize);
        check_size(width, height)?;
        let mut warnings = Vec::new();
        let (format, full) = worker.choose(&first, &mut warnings)?;
        if first.is_interlaced() {
            warnings.push(format!("{name}: interlaced video is taken as whole frames"));
        }
        let range = match first.color_range() {
            _ if full => Range::Full,
            ffmpeg::color::Range::JPEG => Range::Full,
            ffmpeg::color::Range::MPEG => Range::Limited,
            ffmpeg::color::Range::Unspecified => Range::Unspecified,
        };
        let code = |c: u32| u8::try_from(c).unwrap_or(2);
        let matrix = code(AVColorSpace::from(first.color_space()) as u32);
        let color = ColorInfo {
            primaries: code(AVColorPrimaries::from(first.color_primaries()) as u32),
            transfer: code(AVColorTransferCharacteristic::from(first.color_transfer_characteristic()) as u32),
            // Identity belongs to RGB alone; a YUV picture that claims it says nothing.
            matrix: if matrix == 0 && format.chroma != Chroma::Rgb { 2 } else { matrix },
            range,
            ..ColorInfo::UNSPECIFIED
        };
        let sar = ratio(first.aspect_ratio()).unwrap_or(Ratio { num: 0, den: 0 });
        let info = VideoInfo { width, height, format, fps: rate, sar, color };
        Ok((worker, first, Opened { info, hint: counted.or(estimated), stream, warnings }))
    }

    /// The next decoded picture.
    fn next(&mut self) -> Result<Option<Video>> {
        let corrupt = |name: &str, what: &str, e: ffmpeg::Error| Error::format(0, format!("{name}: {what}: {e}"));
        let mut picture = Video::empty();
        loop {
            match self.decoder.receive_frame(&mut picture) {
                Ok(()) => return Ok(Some(picture)),
                Err(ffmpeg::Error::Eof) => return Ok(None),
                Err(ffmpeg::Error::Other { errno }) if errno == ffmpeg::error::EAGAIN && !self.draining => {}
                Err(e) => return Err(corrupt(&self.name, "decoding", e)),
            }
            let mut packet = ffmpeg::Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) if packet.stream() != self.stream => {}
                Ok(()) => self.decoder.send_packet(&packet).map_err(|e| corrupt(&self.name, "decoding", e))?,
                Err(ffmpeg::Error::Eof) => {
                    self.draining = true;
                    self.decoder.send_eof().map_err(|e| corrupt(&self.name, "decoding", e))?;
                }
                Err(e) => return Err(corrupt(&self.name, "reading", e)),
            }
        }
    }

    /// The format to deliver, and whether its very name means full range. Prepares a conversion if the native
    /// format is not among ours.
    fn choose(&mut self, picture: &Video, warnings: &mut Vec<String>) -> Result<(PixelFormat, bool)> {
        let descriptor = picture.format().descriptor();
        let d = descriptor.ok_or_else(|| Error::Unsupported(format!("{}: pictures of unknown format", self.name)))?;
        let name = d.name();
        let full = name.starts_with("yuvj");
        let native = PixelFormat::from_name(&name.replace("yuvj", "yuv"));
        let upside_down = picture.planes() == 0 || picture.stride(0) > isize::MAX as usize;
        if let (Ok(format), false) = (&native, upside_down) {
            return Ok((*format, full));
        }
        let starts = |list: &[&str]| list.iter().any(|p| name.starts_with(p));
        let chroma = if starts(&["gray", "ya", "mono"]) {
            Chroma::Gray
        } else if starts(&["rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb", "x2bgr", "bayer"]) {
            Chroma::Rgb
        } else if d.log2_chroma_h() > 0 && d.log2_chroma_w() > 0 {
            Chroma::Yuv420
        } else {
            Chroma::Yuv444
        };
        // Formats above 8 bits have a byte order in their name.
        let bit_depth = if name.ends_with("le") || name.ends_with("be") { 10 } else { 8 };
        let format = native.unwrap_or(PixelFormat { chroma, bit_depth });
        let target = match (format.chroma, full) {
            (Chroma::Yuv420, true) => Pixel::YUVJ420P,
            (Chroma::Yuv444, true) => Pixel::YUVJ444P,
            _ => format.name().parse().map_err(|_| Error::Unsupported(format!("ffmpeg does not know {}", format.name())))?,
        };
        let (w, h) = (picture.width(), picture.height());
        let flags = Flags::BICUBIC | Flags::ACCURATE_RND | Flags::BITEXACT;
        let scaler = Scaler::get(picture.format(), w, h, target, w, h, flags)
            .map_err(|e| Error::Unsupported(format!("{}: converting {name} to {}: {e}", self.name, format.name())))?;
        if !upside_down {
            let more = if name.contains('a') && !starts(&["gray", "bayer", "pal8"]) { ", alpha is dropped" } else { "" };
            warnings.push(format!("{}: {name} pictures are converted to {}{more}", self.name, format.name()));
        }
        self.conversion = Some((picture.format(), scaler));
        Ok((format, full))
    }

    fn copy(&mut self, picture: &Video, info: &VideoInfo) -> Result<Frame> {
        let (w, h) = (picture.width() as usize, picture.height() as usize);
        if (w, h) != (info.width, info.height) {
            let what = format!("{}: the picture size changes from {}x{} to {w}x{h} within the stream", self.name, info.width, info.height);
            return Err(Error::Unsupported(what));
        }
        let mut converted = Video::empty();
        let source = match &mut self.conversion {
            Some((from, scaler)) if *from == picture.format() => {
                scaler.run(picture, &mut converted).map_err(|e| Error::Unsupported(format!("{}: converting a picture: {e}", self.name)))?;
                &converted
            }
            _ => picture,
        };
        let name = source.format().descriptor().map_or("unknown", |d| d.name()).replace("yuvj", "yuv");
        if name != info.format.name() {
            return Err(Error::Unsupported(format!(
                "{}: the pixel format changes from {} to {name} within the stream",
                self.name,
                info.format.name()
            )));
        }
        let bytes = info.format.bytes_per_sample();
        let mut frame = Frame::new(info.format, w, h);
        for (p, plane) in frame.planes.iter_mut().enumerate() {
            let short = || Error::Unsupported(format!("{}: plane {p} of a picture is missing", self.name));
            if p >= source.planes() || source.stride(p) > isize::MAX as usize {
                return Err(short());
            }
            let (stride, data, width) = (source.stride(p), source.data(p), plane.width);
            for (y, row) in plane.data.chunks_exact_mut(width).enumerate() {
                let from = data.get(y * stride..y * stride + width * bytes).ok_or_else(short)?;
                if bytes == 1 {
                    row.iter_mut().zip(from).for_each(|(d, &s)| *d = u16::from(s));
                } else {
                    let max = info.format.max_value();
                    row.iter_mut().zip(from.chunks_exact(2)).for_each(|(d, s)| *d = u16::from_le_bytes([s[0], s[1]]).min(max));
                }
            }
        }
        Ok(frame)
    }
}

fn ratio(r: ffmpeg::Rational) -> Option<Ratio> {
    let (num, den) = (u32::try_from(r.numerator()).ok()?, u32::try_from(r.denominator()).ok()?);
    (num > 0 && den > 0).then_some(Ratio { num, den })
}
