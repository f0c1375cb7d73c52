//! VMAF and XPSNR, by an ffmpeg that has the filters. Both sequences go to it over loopback TCP,
//! picture by picture.

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Reopen;
use super::ffmpeg::{Ffmpeg, Need};
use super::program::{Place, Program};
use super::stream::{header, is_closed, plain, y4m_frame};
use nvc::color::check_frame;
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, Frame, Siting, VideoInfo};
use nvc::metrics::PSNR_CAP;

/// The model that VMAF figures are of.
pub const VMAF_MODEL: &str = "vmaf_v0.6.1";

/// Pictures that may wait for ffmpeg: more than it reads of one input before it opens the other.
const WAITING: usize = 24;
const CONNECT: Duration = Duration::from_secs(60);

/// Which figures are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// VMAF.
    pub vmaf: bool,
    /// XPSNR.
    pub xpsnr: bool,
}

/// XPSNR of a sequence in dB, 100 where equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Xpsnr {
    /// Luma.
    pub y: f64,
    /// Cb; `None` for gray.
    pub u: Option<f64>,
    /// Cr; `None` for gray.
    pub v: Option<f64>,
}

impl Xpsnr {
    /// (6 Y + U + V) / 8; luma alone for gray.
    pub fn yuv611(&self) -> f64 {
        self.u
            .zip(self.v)
            .map_or(self.y, |(u, v)| (6.0 * self.y + u + v) / 8.0)
    }
}

/// The figures; one that was wanted and is `None` has its reason in `missing`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Perceptual {
    /// VMAF of [`VMAF_MODEL`], mean over frames, 0 to 100.
    pub vmaf: Option<f64>,
    /// XPSNR.
    pub xpsnr: Option<Xpsnr>,
    /// Why something wanted is missing.
    pub missing: Vec<String>,
}

/// Measures while pictures come: one pair after another, bounded memory.
pub struct Measure {
    info: VideoInfo,
    running: Vec<Running>,
    missing: Vec<String>,
}

impl Measure {
    /// Starts the programs. Where no ffmpeg has a filter or the format has no such figure, the
    /// reason is kept for the end.
    pub fn start(info: &VideoInfo, wanted: Wanted, threads: usize) -> Result<Self> {
        Self::start_in(info, wanted, threads, None)
    }

    /// As [`Measure::start`], with the programs' logs in a temporary folder below `dir`, the
    /// system's if not given.
    pub fn start_in(
        info: &VideoInfo,
        wanted: Wanted,
        threads: usize,
        dir: Option<&Path>,
    ) -> Result<Self> {
        let mut missing = Vec::new();
        let chroma = info.format.chroma;
        let mut having = |want: bool, what: &str, filter, defined: bool| {
            if !want {
                return None;
            }
            if !defined {
                missing.push(format!("{what} is not measured on {}", info.format.name()));
                return None;
            }
            Ffmpeg::having(Need::Filter(filter))
                .map_err(|e| missing.push(format!("{what}: {e}")))
                .ok()
        };
        let vmaf = having(
            wanted.vmaf,
            "VMAF",
            "libvmaf",
            matches!(chroma, Chroma::Yuv420 | Chroma::Yuv444),
        );
        let xpsnr = having(wanted.xpsnr, "XPSNR", "xpsnr", chroma != Chroma::Rgb);
        let mut running = Vec::new();
        match (vmaf, xpsnr) {
            // in one run where one program has both
            (Some(a), Some(b)) if a.program == b.program => {
                running.push(Running::start(&a, info, wanted, threads, dir)?)
            }
            (a, b) => {
                if let Some(a) = a {
                    running.push(Running::start(
                        &a,
                        info,
                        Wanted {
                            vmaf: true,
                            xpsnr: false,
                        },
                        threads,
                        dir,
                    )?);
                }
                if let Some(b) = b {
                    running.push(Running::start(
                        &b,
                        info,
                        Wanted {
                            vmaf: false,
                            xpsnr: true,
                        },
                        threads,
                        dir,
                    )?);
                }
            }
        }
        Ok(Measure {
            info: plain(info, info.format),
            running,
            missing,
        })
    }

    /// Adds a pair of pictures.
    pub fn add(&mut self, reference: &Frame, distorted: &Frame) -> Result<()> {
        for frame in [reference, distorted] {
            check_frame(&self.info, frame)?;
        }
        for r in &mut self.running {
            for (frame, input) in [reference, distorted].into_iter().zip(&r.inputs) {
                let mut raw = Vec::new();
                y4m_frame(frame, self.info.format, &mut raw);
                // A program that has gone says why at the end.
                let _ = input.frames.as_ref().map(|f| f.send(raw));
            }
            r.sent += 1;
        }
        Ok(())
    }

    /// The figures of all pairs.
    pub fn finish(self) -> Result<Perceptual> {
        let mut out = Perceptual {
            missing: self.missing,
            ..Perceptual::default()
        };
        for r in self.running {
            r.finish(&mut out)?;
        }
        Ok(out)
    }
}

/// Measures two sequences that can be opened.
pub fn perceptual(
    reference: Reopen,
    distorted: Reopen,
    info: &VideoInfo,
    wanted: Wanted,
    threads: usize,
) -> Result<Perceptual> {
    let (mut a, mut b) = (reference()?, distorted()?);
    let mut measure = Measure::start(info, wanted, threads)?;
    let mut frames = 0u64;
    loop {
        match (a.read()?, b.read()?) {
            (Some(a), Some(b)) => measure.add(&a, &b)?,
            (None, None) => return measure.finish(),
            (a, _) => {
                let shorter = if a.is_some() {
                    "distorted"
                } else {
                    "reference"
                };
                return Err(Error::Mismatch(format!(
                    "the {shorter} sequence ends after {frames} frames, the other goes on"
                )));
            }
        }
        frames += 1;
    }
}

/// What measures the wanted figures here, for telling results of one program from those of another:
/// the first line of `ffmpeg -version` or `absent` for each, with VMAF's model. Empty where nothing
/// is wanted. Where the program lies does not matter.
pub fn perceptual_identity(wanted: Wanted) -> String {
    let of = |name: String, filter| {
        let version = Ffmpeg::having(Need::Filter(filter))
            .ok()
            .and_then(|f| f.version());
        format!("{name}: {}", version.unwrap_or_else(|| "absent".into()))
    };
    let vmaf = wanted
        .vmaf
        .then(|| of(format!("VMAF {VMAF_MODEL}"), "libvmaf"));
    let xpsnr = wanted.xpsnr.then(|| of("XPSNR".into(), "xpsnr"));
    vmaf.into_iter().chain(xpsnr).collect::<Vec<_>>().join("; ")
}

/// One ffmpeg at work.
struct Running {
    program: Program,
    inputs: [Input; 2],
    wanted: Wanted,
    sent: u64,
    dir: nvc_media::TemporaryFolder,
}

/// A thread that waits for ffmpeg to connect, and writes what it is sent.
struct Input {
    frames: Option<SyncSender<Vec<u8>>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Input {
    fn start(listener: TcpListener, header: Vec<u8>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let (frames, queue) = sync_channel(WAITING);
        Ok(Input {
            frames: Some(frames),
            thread: Some(std::thread::spawn(move || {
                write_all(&listener, &header, &queue)
            })),
        })
    }

    /// Ends the sequence.
    fn finish(&mut self) -> io::Result<()> {
        self.frames = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Err(e))) if !is_closed(&e) => Err(e),
            Some(Err(_)) => Err(io::Error::other("the thread that writes frames has failed")),
            _ => Ok(()),
        }
    }
}

fn write_all(listener: &TcpListener, header: &[u8], queue: &Receiver<Vec<u8>>) -> io::Result<()> {
    let mut stream = accept(listener)?;
    stream.write_all(header)?;
    queue.iter().try_for_each(|frame| stream.write_all(&frame))
}

/// Waits for a connection, but not for ever: the program may have ended before it.
fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let begin = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && begin.elapsed() < CONNECT => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::Error::new(
                    io::ErrorKind::ConnectionAborted,
                    "ffmpeg did not connect",
                ));
            }
            Err(e) => return Err(e),
        }
    }
}

impl Running {
    fn start(
        ffmpeg: &Ffmpeg,
        info: &VideoInfo,
        wanted: Wanted,
        threads: usize,
        below: Option<&Path>,
    ) -> Result<Self> {
        let dir = super::temp_dir(below)?;
        let info = plain(info, info.format);
        let header = header(&info, Siting::Left)?;
        let io_error = |e| Error::io("listening on 127.0.0.1 for ffmpeg", e);
        let mut args: Vec<String> = Vec::new();
        let mut inputs = Vec::new();
        for _ in 0..2 {
            let listener = TcpListener::bind("127.0.0.1:0").map_err(io_error)?;
            let port = listener.local_addr().map_err(io_error)?.port();
            // the header says all: no frames are to be read ahead for guessing
            args.extend(
                [
                    "-probesize",
                    "32",
                    "-analyzeduration",
                    "0",
                    "-fpsprobesize",
                    "0",
                    "-f",
                    "yuv4mpegpipe",
                    "-i",
                ]
                .map(String::from),
            );
            args.push(format!("tcp://127.0.0.1:{port}"));
            inputs.push(Input::start(listener, header.clone()).map_err(io_error)?);
        }
        let inputs: [Input; 2] = inputs
            .try_into()
            .map_err(|_| Error::Parameter("two inputs".into()))?;
        let at = |name: &str| escape(&dir.path().join(name).display().to_string());
        let vmaf = format!(
            "libvmaf=model=version={VMAF_MODEL}:log_fmt=json:log_path={}:n_threads={}",
            at("vmaf.json"),
            if threads > 1 { threads } else { 0 }
        );
        let xpsnr = format!("xpsnr=stats_file={}", at("xpsnr.txt"));
        // libvmaf takes the distorted sequence first; xpsnr weighs by its first input, which must
        // be the reference.
        let graph = match (wanted.vmaf, wanted.xpsnr) {
            (true, true) => format!(
                "[0:v]split[r0][r1];[1:v]split[d0][d1];[d0][r0]{vmaf}[a];[r1][d1]{xpsnr}[b]"
            ),
            (true, false) => format!("[1:v][0:v]{vmaf}[a]"),
            _ => format!("[0:v][1:v]{xpsnr}[b]"),
        };
        args.extend(["-lavfi".into(), graph]);
        for label in [(wanted.vmaf, "[a]"), (wanted.xpsnr, "[b]")]
            .iter()
            .filter(|(w, _)| *w)
            .map(|(_, l)| *l)
        {
            args.extend(["-map", label, "-f", "null", "-"].map(String::from));
        }
        let call = ffmpeg.call(&args.iter().map(String::as_str).collect::<Vec<_>>());
        let program = Program::start(
            &call,
            Stdio::null(),
            Stdio::null(),
            Place {
                dir: dir.path(),
                stop: None,
            },
        )?;
        Ok(Running {
            program,
            inputs,
            wanted,
            sent: 0,
            dir,
        })
    }

    fn finish(mut self, out: &mut Perceptual) -> Result<()> {
        // both end before either is waited for: ffmpeg may want the end of one to go on with the
        // other
        self.inputs.iter_mut().for_each(|i| i.frames = None);
        for input in &mut self.inputs {
            input
                .finish()
                .map_err(|e| Error::io("sending frames to ffmpeg", e))?;
        }
        self.program.wait("measure")?;
        let read = |name: &str| {
            let path = self.dir.path().join(name);
            std::fs::read_to_string(&path).map_err(|e| {
                Error::io(
                    format!(
                        "reading {}, which ffmpeg should have written",
                        path.display()
                    ),
                    e,
                )
            })
        };
        let check = |what: &str, frames: u64| {
            if frames == self.sent {
                Ok(())
            } else {
                Err(Error::Mismatch(format!(
                    "{what} of {frames} frames, {} were sent",
                    self.sent
                )))
            }
        };
        if self.wanted.vmaf {
            let (mean, frames) = parse_vmaf(&read("vmaf.json")?)?;
            check("VMAF", frames)?;
            out.vmaf = Some(mean);
        }
        if self.wanted.xpsnr {
            let (xpsnr, frames) = parse_xpsnr(&read("xpsnr.txt")?)?;
            check("XPSNR", frames)?;
            out.xpsnr = Some(xpsnr);
        }
        Ok(())
    }
}

/// A file name as an option of a filter inside a filter graph: quoted for both.
fn escape(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            '\\' | '\'' | ':' => out += &format!("\\\\\\{c}"),
            '[' | ']' | ',' | ';' => out += &format!("\\{c}"),
            c => out.push(c),
        }
    }
    out
}

/// Mean and number of frames of libvmaf's log.
fn parse_vmaf(log: &str) -> Result<(f64, u64)> {
    let json: serde_json::Value =
        serde_json::from_str(log).map_err(|e| Error::format(0, format!("libvmaf's log: {e}")))?;
    let mean = json["pooled_metrics"]["vmaf"]["mean"].as_f64();
    let mean =
        mean.ok_or_else(|| Error::format(0, "libvmaf's log has no pooled_metrics.vmaf.mean"))?;
    Ok((
        mean,
        json["frames"].as_array().map_or(0, |f| f.len() as u64),
    ))
}

/// Averages and number of frames of xpsnr's statistics, as
/// `XPSNR average, 8 frames  y: 27.5836  u: 28.6550  v: 28.0554  (...`.
fn parse_xpsnr(log: &str) -> Result<(Xpsnr, u64)> {
    let bad = |what: &str| Error::format(0, format!("xpsnr's statistics {what}"));
    let line = log
        .lines()
        .rev()
        .find_map(|l| l.strip_prefix("XPSNR average, "))
        .ok_or_else(|| bad("have no average"))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let frames = words
        .first()
        .and_then(|n| n.parse().ok())
        .ok_or_else(|| bad("do not tell the number of frames"))?;
    let value = |name: &str| {
        let at = words.iter().position(|w| *w == name)?;
        // equal planes are infinite
        words
            .get(at + 1)?
            .parse::<f64>()
            .ok()
            .map(|v| v.min(PSNR_CAP))
    };
    Ok((
        Xpsnr {
            y: value("y:").ok_or_else(|| bad("have no luma"))?,
            u: value("u:"),
            v: value("v:"),
        },
        frames,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs() {
        let log = "n:    1  XPSNR y: 33.7957  XPSNR u: 35.4496\n\nXPSNR average, 8 frames  y: 27.5836  u: 28.6550  v: inf  (minimum: 27.5836)\n";
        let (x, frames) = parse_xpsnr(log).unwrap();
        assert_eq!(
            (x, frames),
            (
                Xpsnr {
                    y: 27.5836,
                    u: Some(28.655),
                    v: Some(100.0)
                },
                8
            )
        );
        assert!((x.yuv611() - (6.0 * 27.5836 + 28.655 + 100.0) / 8.0).abs() < 1e-9);
        let (x, _) = parse_xpsnr("\nXPSNR average, 1 frames  y: 30.5").unwrap();
        assert_eq!((x.u, x.yuv611()), (None, 30.5));
        assert!(parse_xpsnr("n: 1").is_err());
        let log = r#"{"frames": [{}, {}], "pooled_metrics": {"vmaf": {"min": 1.0, "mean": 74.5}}}"#;
        assert_eq!(parse_vmaf(log).unwrap(), (74.5, 2));
        assert!(parse_vmaf("{}").is_err() && parse_vmaf("").is_err());
    }

    #[test]
    fn file_names_in_filters() {
        assert_eq!(escape("/tmp/a b/x.json"), "/tmp/a b/x.json");
        assert_eq!(escape("a:b,c'"), r"a\\\:b\,c\\\'");
    }

    #[test]
    fn what_no_figure_is_defined_for_has_its_reason() {
        use nvc::frame::{ColorInfo, PixelFormat, Ratio};
        let none = Ratio { num: 0, den: 0 };
        let info = VideoInfo {
            width: 8,
            height: 8,
            format: PixelFormat::new8(Chroma::Rgb),
            fps: none,
            sar: none,
            color: ColorInfo::UNSPECIFIED,
        };
        let mut m = Measure::start(
            &info,
            Wanted {
                vmaf: true,
                xpsnr: true,
            },
            1,
        )
        .unwrap();
        m.add(
            &Frame::new(info.format, 8, 8),
            &Frame::new(info.format, 8, 8),
        )
        .unwrap();
        let p = m.finish().unwrap();
        assert!(
            p.vmaf.is_none()
                && p.xpsnr.is_none()
                && p.missing.len() == 2
                && p.missing[0].contains("gbrp"),
            "{p:?}"
        );
    }
}
