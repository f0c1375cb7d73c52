//! Points run one after another, several workers at once.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use super::anchor;
use super::event::Event;
use super::inputs::{Files, lock};
use super::jobs::{Found, Job, Records};
use super::nvc;
use super::options::Options;
use super::plan::Plan;
use super::process::Usage;
use super::row::{Point, Row};
use super::sequence::{Sequence, open, write_picture};
use crate::anchors::FrameCallback;
use crate::files::{rename, sha256_file};
use ::nvc::error::{Error, Result};
use ::nvc::frame::Frame;

/// What the workers share.
pub struct State<'a, 'b> {
    pub todo: VecDeque<&'a Job>,
    pub on: &'b mut (dyn FnMut(Event) + Send),
    pub finished: usize,
    pub failed: Vec<(String, Error)>,
}

/// One of the threads that take points.
pub struct Worker<'a> {
    pub plan: &'a Plan,
    pub options: &'a Options<'a>,
    pub sequences: &'a [Sequence],
    pub records: &'a Records,
    pub files: &'a Files,
    pub at_once: usize,
    pub total: usize,
}

impl Worker<'_> {
    /// Takes points until none is left, or the stop flag is set.
    pub fn work(&self, state: &Mutex<State>) {
        loop {
            let Some(job) = lock(state).todo.pop_front() else {
                return;
            };
            if self.options.stop.load(Ordering::SeqCst) {
                return;
            }
            let label = self.label(job);
            (lock(state).on)(Event::Start(&label));
            let result = self
                .point(job)
                .and_then(|p| self.records.save(job, &p).map(|()| p));
            let mut state = lock(state);
            match result {
                Ok(point) => {
                    state.finished += 1;
                    let finished = state.finished;
                    (state.on)(Event::Done(&point.row, finished, self.total));
                }
                // a terminal interrupts the programs too: their failure is no result
                Err(_) if self.options.stop.load(Ordering::SeqCst) => return,
                Err(e) => {
                    (state.on)(Event::Failed(&label, &e));
                    state.failed.push((label, e));
                }
            }
        }
    }

    fn label(&self, job: &Job) -> String {
        let codec = &self.plan.codec[job.codec];
        let name = if codec.codec == "nvc" {
            format!("{} {}", nvc::codec_name(codec), nvc::config(codec))
        } else {
            codec.name.clone().unwrap_or(codec.codec.clone())
        };
        format!(
            "{} {name} {}",
            self.sequences[job.sequence].name,
            job.at.label("crf")
        )
    }

    fn point(&self, job: &Job) -> Result<Point> {
        let (sequence, codec) = (&self.sequences[job.sequence], &self.plan.codec[job.codec]);
        let input = self.files.get(job.sequence, sequence, self.options.store)?;
        let mut row = self.row(sequence);
        let attempt = self.records.attempt()?;
        let picture = attempt.path().join("picture.png");
        let keep = &mut |index: u64, _: &Frame, decoded: &Frame| {
            if index == job.picture {
                write_picture(decoded, &sequence.info, &picture)
            } else {
                Ok(())
            }
        };
        let mut point = if codec.codec == "nvc" {
            self.nvc(job, row, &input, attempt.path(), keep)?
        } else {
            let context = anchor::PointContext {
                input: &input,
                sequence,
                dir: attempt.path(),
                stop: self.options.stop,
            };
            anchor::point(self.plan, codec, job.at, &mut row, &context, keep)?;
            Point {
                row,
                ..Point::default()
            }
        };
        point.row.finish(sequence.frames);
        for extension in ["nvc", "ndjson", "png"] {
            let name = if extension == "png" {
                picture.clone()
            } else {
                attempt.path().join(format!("coded.{extension}"))
            };
            let to = self.records.path(job, extension);
            if name.exists() {
                rename(&name, &to)?;
            }
        }
        point.picture = self
            .records
            .path(job, "png")
            .exists()
            .then(|| format!("points/{}.png", job.stem));
        Ok(point)
    }

    /// A point of nvc; of one that is coded already and only looked at otherwise, the encode is not
    /// repeated.
    fn nvc(
        &self,
        job: &Job,
        mut row: Row,
        input: &Path,
        dir: &Path,
        keep: FrameCallback,
    ) -> Result<Point> {
        let (sequence, codec) = (&self.sequences[job.sequence], &self.plan.codec[job.codec]);
        if sha256_file(self.options.program)? != self.options.program_digest {
            let name = self.options.program.display();
            return Err(Error::Mismatch(format!(
                "{name} has changed since the run began; start it again"
            )));
        }
        let kept = self.records.path(job, "nvc");
        let run = nvc::Run {
            program: self.options.program,
            input,
            dir,
            threads: self.plan.threads,
            stop: self.options.stop,
        };
        let (file, before) = match self.records.find(job) {
            Found::Encode(p) if kept.exists() => (kept, Some(p)),
            _ => (run.encoded_file(), None),
        };
        let encoded = match before {
            Some(p) => nvc::Encoded {
                seconds: p.row.enc_s,
                usage: Usage {
                    cpu_seconds: p.row.enc_cpu_s,
                    peak_bytes: p.row.enc_mb.map(|mb| (mb * 1e6) as u64),
                },
                device: p.row.enc_device,
                note: p.encode_note,
                progress: p.progress,
                order0_bytes: p.order0_bytes,
            },
            None => run.encode(codec, job.at)?,
        };
        let mut measure = anchor::Perceptual::start(self.plan, &sequence.info)?;
        let decoded = run.decode(
            &file,
            &sequence.info,
            open(input)?,
            &mut |i, reference, decoded| {
                measure.add(reference, decoded)?;
                keep(i, reference, decoded)
            },
        )?;
        row.codec = nvc::codec_name(codec);
        row.version = format!("nvc {}", env!("CARGO_PKG_VERSION"));
        row.config = nvc::config(codec);
        row.point = job.at.label("quality");
        row.command = nvc::command(codec, job.at, self.plan.threads);
        row.bytes = decoded.bytes;
        row.set_scores(&decoded.scores);
        (row.enc_s, row.dec_s) = (encoded.seconds, decoded.seconds);
        let mb = |u: Usage| u.peak_bytes.map(|b| b as f64 / 1e6);
        (row.enc_cpu_s, row.enc_mb, row.dec_mb) = (
            encoded.usage.cpu_seconds,
            mb(encoded.usage),
            mb(decoded.usage),
        );
        (row.enc_device, row.dec_device) = (encoded.device, format!("cpu x{}", self.plan.threads));
        (row.params, row.macs_per_pixel) = (Some(decoded.params), Some(decoded.macs_per_pixel));
        row.note = encoded.note.clone();
        measure.finish(&mut row)?;
        Ok(Point {
            row,
            parts: Some(decoded.parts),
            order0_bytes: encoded.order0_bytes,
            progress: encoded.progress,
            picture: None,
            encode_note: encoded.note,
        })
    }

    fn row(&self, s: &Sequence) -> Row {
        let i = &s.info;
        Row {
            sequence: s.name.clone(),
            frames: s.frames,
            width: i.width,
            height: i.height,
            fps: if s.is_picture() || i.fps.den == 0 {
                String::new()
            } else {
                i.fps.to_string()
            },
            pix_fmt: i.format.name().into(),
            bit_depth: i.format.bit_depth,
            jobs: self.at_once,
            git: env!("NVC_COMMIT").into(),
            ..Row::default()
        }
    }
}
