//! Any container and codec that ffmpeg reads.
//!
//! The decoder runs on a thread of its own, a few pictures ahead of its reader.

mod notes;
mod scan;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi::{AVColorPrimaries, AVColorSpace, AVColorTransferCharacteristic};
use ffmpeg_next::format::{Pixel, context::Input};
use ffmpeg_next::frame::Video;
use ffmpeg_next::software::scaling::{Context as Scaler, Flags};

use self::notes::Notes;
use self::scan::Scan;
use super::aspect::{UNKNOWN, sample_aspect};
use super::cadence::Constant;
use super::turn::Turn;
use super::{FrameSource, SourceOptions, Survey, Takes, check_size};
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, ColorInfo, Frame, PixelFormat, Range, Ratio, VideoInfo};

const AHEAD: usize = 4;

/// Most frames a second that a container's base rate is believed to be.
const MOST_RATE: f64 = 240.0;

#[derive(Clone, Copy)]
struct Opened {
    info: VideoInfo,
    /// Frames by what the container says; of what is resampled, by its duration.
    hint: Option<u64>,
    stream: usize,
    turn: Turn,
    /// The rate to which times are resampled.
    constant: Option<Ratio>,
    /// Length by what the container says.
    seconds: Option<f64>,
}

/// Pictures of the best video stream of a file.
pub struct MediaSource {
    opened: Opened,
    path: PathBuf,
    name: String,
    /// What a look at all packets told, once there was one.
    scan: OnceLock<Option<Scan>>,
    frames: Receiver<Result<Option<Frame>>>,
    done: bool,
    notes: Notes,
}

impl MediaSource {
    /// Opens a file and decodes its first picture, which settles format and colour.
    pub fn open(path: &Path, opts: &SourceOptions) -> Result<Self> {
        let (open_send, open_receive) = sync_channel(1);
        let (send, frames) = sync_channel(AHEAD);
        let (url, name) = (scan::Url::new(path)?, path.display().to_string());
        let notes: Notes = Arc::new(Mutex::new((Vec::new(), 0)));
        let (at, known, options) = (name.clone(), notes.clone(), opts.clone());
        std::thread::spawn(move || Worker::run(url, at, options, known, &open_send, &send));
        let opened = open_receive
            .recv()
            .unwrap_or_else(|_| Err(stopped(&name)))?;
        Ok(MediaSource {
            opened,
            path: path.into(),
            name,
            scan: OnceLock::new(),
            frames,
            done: false,
            notes,
        })
    }

    /// How the pictures are to be shown.
    pub fn turn(&self) -> Turn {
        self.opened.turn
    }

    fn scan(&self) -> Option<&Scan> {
        self.scan
            .get_or_init(|| scan::packets(&self.path, self.opened.stream))
            .as_ref()
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
        let frame = self
            .frames
            .recv()
            .unwrap_or_else(|_| Err(stopped(&self.name)));
        self.done = !matches!(frame, Ok(Some(_)));
        frame
    }

    fn frames_hint(&self) -> Option<u64> {
        if self.opened.constant.is_some() {
            return self.opened.hint;
        }
        // what was counted is known better than what was said
        let counted = self.scan.get().and_then(|s| s.as_ref()).map(|s| s.frames);
        counted
            .or(self.opened.hint)
            .or_else(|| self.scan().map(|s| s.frames))
    }

    fn survey(&mut self) -> Result<Survey> {
        let Some(s) = self.scan().filter(|_| self.opened.constant.is_none()) else {
            return Ok(Survey {
                frames: self.opened.hint,
                damage: None,
            });
        };
        super::cadence::check_even(&self.name, &s.times, s.tick)?;
        let frames = s.frames;
        if let Some(cut) = self
            .opened
            .hint
            .and_then(|said| notes::cut_short(s.packets, said))
        {
            notes::add(&self.notes, cut);
        }
        Ok(Survey {
            frames: Some(frames),
            damage: None,
        })
    }

    fn take_warnings(&mut self) -> Vec<String> {
        notes::take(&self.notes)
    }

    fn takes(&self) -> Takes {
        Takes {
            fps: self.opened.constant.is_some(),
            vfr_to_cfr: true,
            ..Takes::default()
        }
    }
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
    notes: Notes,
    /// Seconds of a unit of the stream's times.
    tick: f64,
    /// Packets of the stream that were read.
    packets: u64,
    /// Holds the file open whose descriptor the input reads.
    _url: scan::Url,
}

impl Worker {
    fn run(
        url: scan::Url,
        name: String,
        options: SourceOptions,
        notes: Notes,
        opened: &SyncSender<Result<Opened>>,
        frames: &SyncSender<Result<Option<Frame>>>,
    ) {
        let (mut worker, first, opening) = match Worker::open(url, name, &options, notes) {
            Ok(w) => w,
            Err(e) => return drop(opened.send(Err(e))),
        };
        let Opened {
            info,
            hint,
            constant,
            seconds,
            ..
        } = opening;
        if opened.send(Ok(opening)).is_err() {
            return;
        }
        let result = match constant {
            None => worker.plain(first, &info, hint, frames),
            Some(rate) => worker.resampled(first, &info, rate, seconds, frames),
        };
        // a reader that went away wants no end either
        let _ = frames.send(match result {
            Ok(()) => Ok(None),
            Err(Stop::Failed(e)) => Err(e),
            Err(Stop::Gone) => return,
        });
    }

    fn plain(
        &mut self,
        first: Video,
        info: &VideoInfo,
        hint: Option<u64>,
        out: &SyncSender<Result<Option<Frame>>>,
    ) -> Ending {
        let (mut picture, mut count, mut damaged) = (Some(first), 0u64, 0u64);
        while let Some(p) = picture {
            damaged += u64::from(p.is_corrupt());
            out.send(Ok(Some(self.copy(&p, info)?)))
                .map_err(|_| Stop::Gone)?;
            count += 1;
            picture = self.next()?;
        }
        if damaged > 0 {
            notes::add(
                &self.notes,
                format!(
                    "{damaged} of {count} pictures are damaged; they are taken as the decoder conceals them"
                ),
            );
        }
        if let Some(cut) = hint.and_then(|said| notes::cut_short(self.packets, said)) {
            notes::add(&self.notes, cut);
        }
        Ok(())
    }

    fn resampled(
        &mut self,
        first: Video,
        info: &VideoInfo,
        rate: Ratio,
        seconds: Option<f64>,
        out: &SyncSender<Result<Option<Frame>>>,
    ) -> Ending {
        let mut constant = Constant::new(rate);
        let (mut start, mut time) = (None, 0.0);
        let mut give = |f: Frame| out.send(Ok(Some(f))).map_err(|_| Stop::Gone);
        let mut picture = Some(first);
        while let Some(p) = picture {
            if let Some(t) = p.timestamp() {
                time = (t - *start.get_or_insert(t)) as f64 * self.tick;
            }
            constant.push(self.copy(&p, info)?, time, &mut give)?;
            picture = self.next()?;
        }
        constant.end(seconds.unwrap_or(0.0), &mut give)
    }

    fn open(
        url: scan::Url,
        name: String,
        options: &SourceOptions,
        notes: Notes,
    ) -> Result<(Worker, Video, Opened)> {
        let fail = |what: &str, e: ffmpeg::Error| match e {
            ffmpeg::Error::InvalidData => Error::Unsupported(format!(
                "{name}: {what}: no media file that ffmpeg knows, or a damaged one"
            )),
            ffmpeg::Error::Other { errno } => Error::io(
                format!("{what} {name}"),
                std::io::Error::from_raw_os_error(errno),
            ),
            e => Error::Unsupported(format!("{name}: {what}: {e}")),
        };
        ffmpeg::init().map_err(|e| fail("starting ffmpeg", e))?;
        ffmpeg::log::set_level(ffmpeg::log::Level::Error);
        let input = ffmpeg::format::input(url.text()).map_err(|e| fail("opening", e))?;
        let best = input.streams().best(ffmpeg::media::Type::Video);
        let best = best.ok_or_else(|| Error::Unsupported(format!("{name}: no video stream")))?;
        let cover = notes::is_cover(&best);
        let rates = [best.avg_frame_rate(), best.rate()]
            .into_iter()
            .find_map(ratio)
            .filter(|_| !cover);
        let average = rates.unwrap_or(Ratio { num: 25, den: 1 });
        let per_second = |r: Ratio| f64::from(r.num) / f64::from(r.den);
        let base = ratio(best.rate())
            .filter(|r| per_second(*r) <= MOST_RATE)
            .unwrap_or(average);
        let seconds = scan::seconds(&best, &input).filter(|_| !cover);
        let (stream, tick) = (best.index(), f64::from(best.time_base()));
        // without times there is nothing to resample by
        let even = || {
            let all = scan::packets(url.path(), stream);
            all.is_some_and(|s| super::cadence::check_even(&name, &s.times, s.tick).is_ok())
        };
        let constant = (options.vfr_to_cfr && (options.fps.is_some() || !even()))
            .then(|| options.fps.unwrap_or(base));
        let fps = constant.unwrap_or(average);
        let counted = u64::try_from(best.frames()).ok().filter(|&n| n > 0);
        let estimated = seconds
            .map(|s| (s * per_second(fps)).round() as u64)
            .filter(|&n| n > 0);
        // what is repeated and dropped has another number
        let hint = counted.filter(|_| constant.is_none()).or(estimated);
        notes::streams(&input, stream, &notes);
        let turn = notes::turn(&best, &notes);
        let mut context = ffmpeg::codec::Context::from_parameters(best.parameters())
            .map_err(|e| fail("opening decoder", e))?;
        context.set_threading(ffmpeg::threading::Config::kind(
            ffmpeg::threading::Type::Frame,
        ));
        let decoder = context
            .decoder()
            .video()
            .map_err(|e| fail("opening decoder", e))?;
        let mut worker = Worker {
            name,
            input,
            stream,
            decoder,
            draining: false,
            conversion: None,
            notes,
            tick,
            packets: 0,
            _url: url,
        };
        let name = worker.name.clone();
        let first = worker.next()?.ok_or_else(|| {
            Error::Unsupported(format!("{name}: the video stream has no picture"))
        })?;

        let (width, height) = (first.width() as usize, first.height() as usize);
        check_size(&name, width, height)?;
        let (format, full) = worker.choose(&first)?;
        notes::picture(&first, &worker.notes);
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
            transfer: code(AVColorTransferCharacteristic::from(
                first.color_transfer_characteristic(),
            ) as u32),
            // Identity belongs to RGB alone; a YUV picture that claims it says nothing.
            matrix: if matrix == 0 && format.chroma != Chroma::Rgb {
                2
            } else {
                matrix
            },
            range,
            siting: if format.chroma == Chroma::Yuv420 {
                notes::siting(&first)
            } else {
                Default::default()
            },
            light: notes::light(&first, &worker.stream_side_data()),
        };
        let (sar, warning) = ratio(first.aspect_ratio()).map_or((UNKNOWN, None), |r| {
            sample_aspect(r.num.into(), r.den.into())
        });
        warning
            .into_iter()
            .for_each(|w| notes::add(&worker.notes, w));
        let info = VideoInfo {
            width,
            height,
            format,
            fps,
            sar,
            color,
        };
        Ok((
            worker,
            first,
            Opened {
                info,
                hint,
                stream,
                turn,
                constant,
                seconds,
            },
        ))
    }

    fn stream_side_data(&self) -> Vec<(ffmpeg::packet::side_data::Type, Vec<u8>)> {
        let stream = self.input.stream(self.stream);
        stream
            .iter()
            .flat_map(|s| {
                s.side_data()
                    .map(|d| (d.kind(), d.data().to_vec()))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// The next decoded picture.
    fn next(&mut self) -> Result<Option<Video>> {
        let corrupt = |name: &str, what: &str, e: ffmpeg::Error| {
            Error::source(name, None, format!("{what}: {e}"))
        };
        let mut picture = Video::empty();
        loop {
            match self.decoder.receive_frame(&mut picture) {
                Ok(()) => return Ok(Some(picture)),
                Err(ffmpeg::Error::Eof) => return Ok(None),
                Err(ffmpeg::Error::Other { errno })
                    if errno == ffmpeg::error::EAGAIN && !self.draining => {}
                Err(e) => return Err(corrupt(&self.name, "decoding", e)),
            }
            let mut packet = ffmpeg::Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) if packet.stream() != self.stream => {}
                Ok(()) => {
                    self.packets += 1;
                    self.decoder
                        .send_packet(&packet)
                        .map_err(|e| corrupt(&self.name, "decoding", e))?;
                }
                Err(ffmpeg::Error::Eof) => {
                    self.draining = true;
                    self.decoder
                        .send_eof()
                        .map_err(|e| corrupt(&self.name, "decoding", e))?;
                }
                Err(e) => return Err(corrupt(&self.name, "reading", e)),
            }
        }
    }

    /// The format to deliver, and whether its very name means full range. Prepares a conversion if
    /// the native format is not among ours.
    fn choose(&mut self, picture: &Video) -> Result<(PixelFormat, bool)> {
        let descriptor = picture.format().descriptor();
        let d = descriptor.ok_or_else(|| {
            Error::Unsupported(format!("{}: pictures of unknown format", self.name))
        })?;
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
        } else if starts(&[
            "rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb", "x2bgr", "bayer",
        ]) {
            Chroma::Rgb
        } else if d.log2_chroma_h() > 0 && d.log2_chroma_w() > 0 {
            Chroma::Yuv420
        } else {
            Chroma::Yuv444
        };
        // Formats above 8 bits have a byte order in their name.
        let bit_depth = if name.ends_with("le") || name.ends_with("be") {
            10
        } else {
            8
        };
        let format = native.unwrap_or(PixelFormat { chroma, bit_depth });
        let target = match (format.chroma, full) {
            (Chroma::Yuv420, true) => Pixel::YUVJ420P,
            (Chroma::Yuv444, true) => Pixel::YUVJ444P,
            _ => format.name().parse().map_err(|_| {
                Error::Unsupported(format!("ffmpeg does not know {}", format.name()))
            })?,
        };
        let (w, h) = (picture.width(), picture.height());
        let flags = Flags::BICUBIC | Flags::ACCURATE_RND | Flags::BITEXACT;
        let scaler = Scaler::get(picture.format(), w, h, target, w, h, flags).map_err(|e| {
            Error::Unsupported(format!(
                "{}: converting {name} to {}: {e}",
                self.name,
                format.name()
            ))
        })?;
        if !upside_down {
            let more = if name.contains('a') && !starts(&["gray", "bayer", "pal8"]) {
                ", alpha is dropped; flatten it first where it matters"
            } else {
                ""
            };
            notes::add(
                &self.notes,
                format!("{name} pictures are converted to {}{more}", format.name()),
            );
        }
        self.conversion = Some((picture.format(), scaler));
        Ok((format, full))
    }

    fn copy(&mut self, picture: &Video, info: &VideoInfo) -> Result<Frame> {
        let (w, h) = (picture.width() as usize, picture.height() as usize);
        if (w, h) != (info.width, info.height) {
            let what = format!(
                "{}: the picture size changes from {}x{} to {w}x{h} within the stream",
                self.name, info.width, info.height
            );
            return Err(Error::Unsupported(what));
        }
        let mut converted = Video::empty();
        let source = match &mut self.conversion {
            Some((from, scaler)) if *from == picture.format() => {
                scaler.run(picture, &mut converted).map_err(|e| {
                    Error::Unsupported(format!("{}: converting a picture: {e}", self.name))
                })?;
                &converted
            }
            _ => picture,
        };
        let name = source
            .format()
            .descriptor()
            .map_or("unknown", |d| d.name())
            .replace("yuvj", "yuv");
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
            let short =
                || Error::Unsupported(format!("{}: plane {p} of a picture is missing", self.name));
            if p >= source.planes() || source.stride(p) > isize::MAX as usize {
                return Err(short());
            }
            let (stride, data, width) = (source.stride(p), source.data(p), plane.width);
            for (y, row) in plane.data.chunks_exact_mut(width).enumerate() {
                let from = data
                    .get(y * stride..y * stride + width * bytes)
                    .ok_or_else(short)?;
                if bytes == 1 {
                    row.iter_mut()
                        .zip(from)
                        .for_each(|(d, &s)| *d = u16::from(s));
                } else {
                    let max = info.format.max_value();
                    row.iter_mut()
                        .zip(from.chunks_exact(2))
                        .for_each(|(d, s)| *d = u16::from_le_bytes([s[0], s[1]]).min(max));
                }
            }
        }
        Ok(frame)
    }
}

/// Why the decoder's thread ends early.
enum Stop {
    Failed(Error),
    /// The reader went away.
    Gone,
}

type Ending = std::result::Result<(), Stop>;

impl From<Error> for Stop {
    fn from(e: Error) -> Self {
        Stop::Failed(e)
    }
}

fn ratio(r: ffmpeg::Rational) -> Option<Ratio> {
    let (num, den) = (
        u32::try_from(r.numerator()).ok()?,
        u32::try_from(r.denominator()).ok()?,
    );
    (num > 0 && den > 0).then_some(Ratio { num, den })
}
