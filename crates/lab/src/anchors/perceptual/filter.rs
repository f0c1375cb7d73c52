//! One ffmpeg with the filters that measure. Both sequences go to it over loopback TCP, picture by
//! picture.

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::figures::{Perceptual, VMAF_MODEL, Wanted, parse_vmaf, parse_xpsnr};
use crate::anchors::ffmpeg::Ffmpeg;
use crate::anchors::stream::{header, is_closed, plain, y4m_frame};
use crate::program::{Program, RunDir, temp_dir};
use nvc::error::{Error, Result};
use nvc::frame::{Frame, Siting, VideoInfo};

/// Pictures that may wait for ffmpeg: more than it reads of one input before it opens the other.
const WAITING: usize = 24;
const CONNECT: Duration = Duration::from_secs(60);

/// One ffmpeg at work.
pub(super) struct Running {
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
    /// Starts it and listens for it.
    pub fn start(
        ffmpeg: &Ffmpeg,
        info: &VideoInfo,
        wanted: Wanted,
        threads: usize,
        below: Option<&Path>,
    ) -> Result<Self> {
        let dir = temp_dir(below)?;
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
            RunDir {
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

    /// Sends a pair of pictures: reference, distorted.
    pub fn send(&mut self, pair: [&Frame; 2], info: &VideoInfo) {
        for (frame, input) in pair.into_iter().zip(&self.inputs) {
            let mut raw = Vec::new();
            y4m_frame(frame, info.format, &mut raw);
            // the receiver was dropped: discard; why the program ended is said at the end
            let _ = input.frames.as_ref().map(|f| f.send(raw));
        }
        self.sent += 1;
    }

    /// Waits for it, and adds its figures.
    pub fn finish(mut self, out: &mut Perceptual) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_in_filters() {
        assert_eq!(escape("/tmp/a b/x.json"), "/tmp/a b/x.json");
        assert_eq!(escape("a:b,c'"), r"a\\\:b\,c\\\'");
    }
}
