//! What runs on the decoder's thread.

use std::sync::mpsc::SyncSender;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::frame::Video;

use super::color;
use super::convert::Converter;
use super::decoder::Decoder;
use super::notes::{self, Notes};
use super::scan;
use crate::aspect::{UNKNOWN, sample_aspect};
use crate::cadence::{Constant, check_even};
use crate::size::check_size;
use crate::source_options::SourceOptions;
use crate::turn::Turn;
use nvc::error::{Error, Result};
use nvc::frame::{Frame, Ratio, VideoInfo};

/// Most frames a second that a container's base rate is believed to be.
const MOST_RATE: f64 = 240.0;

/// What opening a file tells.
#[derive(Clone, Copy)]
pub struct Opened {
    pub info: VideoInfo,
    /// Frames by what the container says; of what is resampled, by its duration.
    pub hint: Option<u64>,
    pub stream: usize,
    pub turn: Turn,
    /// The rate to which times are resampled.
    pub constant: Option<Ratio>,
    /// Length by what the container says.
    pub seconds: Option<f64>,
}

/// Gives the pictures of a stream to its reader.
pub struct Worker {
    decoder: Decoder,
    converter: Converter,
    notes: Notes,
    /// Seconds of a unit of the stream's times.
    tick: f64,
}

impl Worker {
    /// Opens a file, says what it is, and sends its pictures and the end, or what ended them.
    pub fn run(
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
        // the receiver was dropped: discard
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
            out.send(Ok(Some(self.converter.copy(&p, info)?)))
                .map_err(|_| Stop::Gone)?;
            count += 1;
            picture = self.decoder.next()?;
        }
        if damaged > 0 {
            notes::add(
                &self.notes,
                format!(
                    "{damaged} of {count} pictures are damaged; they are taken as the decoder conceals them"
                ),
            );
        }
        if let Some(cut) = hint.and_then(|said| notes::cut_short(self.decoder.packets(), said)) {
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
            constant.push(self.converter.copy(&p, info)?, time, &mut give)?;
            picture = self.decoder.next()?;
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
            all.is_some_and(|s| check_even(&name, &s.times, s.tick).is_ok())
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
        let mut decoder = Decoder::new(&name, url, input, stream, decoder);
        let first = decoder.next()?.ok_or_else(|| {
            Error::Unsupported(format!("{name}: the video stream has no picture"))
        })?;

        let (width, height) = (first.width() as usize, first.height() as usize);
        check_size(&name, width, height)?;
        let (converter, format, full) = Converter::new(&name, &first, &notes)?;
        notes::picture(&first, &notes);
        let color = color::of(&first, &decoder.side_data(), format.chroma, full);
        let (sar, warning) = ratio(first.aspect_ratio()).map_or((UNKNOWN, None), |r| {
            sample_aspect(r.num.into(), r.den.into())
        });
        warning.into_iter().for_each(|w| notes::add(&notes, w));
        let info = VideoInfo {
            fps,
            sar,
            color,
            ..VideoInfo::new(width, height, format)
        };
        let worker = Worker {
            decoder,
            converter,
            notes,
            tick,
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
}

/// Why the decoder's thread ends early.
enum Stop {
    Failed(Error),
    /// The receiver was dropped.
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
