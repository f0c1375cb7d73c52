//! What a look at all packets of a media file tells, without decoding.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::Input;

use nvc::error::{Error, Result};

/// Microseconds a second, ffmpeg's unit of a container's duration.
const TIME_BASE: f64 = 1e6;

/// A file's name as ffmpeg takes it: never for a protocol, and by its descriptor where it is not
/// UTF-8.
pub struct Url {
    path: PathBuf,
    text: String,
    _file: Option<File>,
}

impl Url {
    /// Of a file.
    pub fn new(path: &Path) -> Result<Self> {
        if let Some(name) = path.to_str() {
            return Ok(Url {
                path: path.into(),
                text: format!("file:{name}"),
                _file: None,
            });
        }
        #[cfg(unix)]
        {
            use std::os::fd::AsRawFd;
            let file = File::open(path)
                .map_err(|e| Error::io(format!("opening {}", path.display()), e))?;
            let text = format!("file:/proc/self/fd/{}", file.as_raw_fd());
            Ok(Url {
                path: path.into(),
                text,
                _file: Some(file),
            })
        }
        #[cfg(not(unix))]
        Err(Error::Unsupported(format!(
            "{}: media files need a name in Unicode",
            path.display()
        )))
    }

    /// The name for ffmpeg.
    pub fn text(&self) -> &OsStr {
        OsStr::new(&self.text)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The packets of a stream.
#[derive(Debug)]
pub struct Scan {
    /// Pictures that are shown: a packet each.
    pub frames: u64,
    /// All packets, with those that an edit list hides.
    pub packets: u64,
    /// When they are shown, ascending, in ticks; none where packets do not say.
    pub times: Vec<i64>,
    /// Seconds of a tick.
    pub tick: f64,
}

/// Reads the whole file once; `None` where it is none or has no packets.
pub fn packets(path: &Path, stream: usize) -> Option<Scan> {
    std::fs::metadata(path).ok().filter(|m| m.is_file())?;
    let url = Url::new(path).ok()?;
    let mut input = ffmpeg::format::input(url.text()).ok()?;
    let tick = f64::from(input.stream(stream)?.time_base());
    let times: Vec<Option<i64>> = input
        .packets()
        .filter(|(s, _)| s.index() == stream)
        .map(|(_, p)| p.pts())
        .collect();
    let all = times.len() as u64;
    let mut known: Vec<i64> = times.iter().flatten().copied().collect();
    known.sort_unstable();
    if known.len() as u64 != all || known.windows(2).any(|w| w[0] == w[1]) {
        // packets of half pictures, or of formats without times
        return Some(Scan {
            frames: all,
            packets: all,
            times: Vec::new(),
            tick,
        })
        .filter(|s| s.frames > 0);
    }
    // an edit list shows only what comes at 0 or later
    if known.last().is_some_and(|&t| t >= 0) {
        known.retain(|&t| t >= 0);
    }
    Some(Scan {
        frames: known.len() as u64,
        packets: all,
        times: known,
        tick,
    })
    .filter(|s| s.frames > 0)
}

/// Seconds of a stream by what the container says: of the stream, of its Matroska tag, or of all
/// where there is no other.
pub fn seconds(stream: &ffmpeg::Stream, input: &Input) -> Option<f64> {
    let positive = |s: f64| (s > 0.0).then_some(s);
    let own = positive(stream.duration() as f64 * f64::from(stream.time_base()));
    let tag = || {
        let text = stream.metadata().get("DURATION")?.to_string();
        text.split(':').try_fold(0.0, |sum, part| {
            Some(60.0 * sum + part.trim().parse::<f64>().ok()?)
        })
    };
    let alone = || (input.nb_streams() == 1).then(|| input.duration() as f64 / TIME_BASE);
    own.or_else(|| tag().and_then(positive))
        .or_else(|| alone().and_then(positive))
}
