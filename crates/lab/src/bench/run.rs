//! Runs what of a plan is not finished yet, several points at once, each in processes of its own.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::anchor;
use super::jobs::{At, Found, Identities, Job, Records, file_digest, jobs};
use super::nvc;
use super::plan::{CodecPlan, Plan};
use super::process::Usage;
use super::row::{Point, Row};
use super::sequence::Sequence;
use crate::datasets::Store;
use ::nvc::error::{Error, Result};
use ::nvc::frame::{Frame, VideoInfo};
use ::nvc::metrics::Scores;
use nvc_media::{BoxedSource, SourceOptions, open_sink, open_source};

/// Where and how to run.
pub struct Options<'a> {
    /// Folder of results.
    pub out: &'a Path,
    /// Folder that the plan's relative names are below.
    pub base: &'a Path,
    /// Where data sets lie.
    pub store: &'a Store,
    /// The `nvc` program.
    pub program: &'a Path,
    /// Digest of that program: its results are filed under it.
    pub program_digest: String,
    /// Points at once; 0 = processors / threads of a point.
    pub jobs: usize,
    /// Run nothing: only gather what is finished.
    pub gather: bool,
    /// Set to stop.
    pub stop: &'a Arc<AtomicBool>,
}

/// What happens.
pub enum Event<'a> {
    /// A codec is left out: its program is missing.
    Missing(&'a CodecPlan, &'a Error),
    /// How many points there are, how many of them finished before, how many run at once.
    Plan {
        /// All points.
        points: usize,
        /// Finished by an earlier run.
        finished: usize,
        /// Points at once.
        jobs: usize,
    },
    /// A point starts.
    Start(&'a str),
    /// A point is finished: how many are, of how many.
    Done(&'a Row, usize, usize),
    /// A point failed; the others go on.
    Failed(&'a str, &'a Error),
}

/// What came of a run.
pub struct Outcome {
    /// The sequences, in the plan's order.
    pub sequences: Vec<Sequence>,
    /// The frame kept as a picture of each sequence, with the file.
    pub pictures: Vec<(u64, Option<PathBuf>)>,
    /// Every finished point, in the plan's order.
    pub points: Vec<Point>,
    /// Points that failed, with the reason.
    pub failed: Vec<(String, Error)>,
    /// Codecs left out as their programs are missing.
    pub missing: Vec<(String, String)>,
    /// Points of the plan that are not finished.
    pub open: usize,
}

/// Runs the plan. [`Error::Interrupted`] once `stop` is set; what was finished by then stays.
pub fn run(plan: &Plan, options: &Options, on: &mut (dyn FnMut(Event) + Send)) -> Result<Outcome> {
    let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
    // every codec gets the same number, and rows tell it
    let plan = &Plan {
        threads: if plan.threads == 0 {
            processors
        } else {
            plan.threads
        },
        ..plan.clone()
    };
    plan.codec
        .iter()
        .filter(|c| c.codec != "nvc")
        .try_for_each(|c| anchor::spec(c).map(drop))?;
    let sequences = sequences(plan, options)?;
    let records = Records::open(options.out)?;
    let mut codec = |codec: &CodecPlan| match codec.codec.as_str() {
        // gathering takes the newest record, whatever made it
        _ if options.gather => Ok(String::new()),
        "nvc" => Ok(options.program_digest.clone()),
        _ => anchor::identity(codec),
    };
    let measures = if options.gather {
        String::new()
    } else {
        anchor::measures(plan)
    };
    let (jobs, missing) = jobs(
        plan,
        &sequences,
        &mut Identities {
            codec: &mut codec,
            measures,
        },
    )?;
    for (c, e) in &missing {
        on(Event::Missing(&plan.codec[*c], e));
    }
    let open = |j: &&Job| !options.gather && !matches!(records.find(j), Found::Point(_));
    let todo: VecDeque<&Job> = jobs.iter().filter(open).collect();
    let wanted = if options.jobs > 0 {
        options.jobs
    } else {
        plan.jobs.unwrap_or((processors / plan.threads).max(1))
    };
    let at_once = wanted.min(todo.len());
    on(Event::Plan {
        points: jobs.len(),
        finished: jobs.len() - todo.len(),
        jobs: at_once,
    });

    let files = Files::new(options.out, &sequences, todo.iter().map(|j| j.sequence));
    let state = Mutex::new(State {
        finished: jobs.len() - todo.len(),
        todo,
        on,
        failed: Vec::new(),
    });
    let worker = Worker {
        plan,
        options,
        sequences: &sequences,
        records: &records,
        files: &files,
        at_once,
        total: jobs.len(),
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| worker.work(&state));
        }
    });
    let failed = std::mem::take(&mut lock(&state).failed);
    drop(state);
    files.remove();
    if options.stop.load(Ordering::SeqCst) {
        return Err(Error::Interrupted);
    }
    gather(plan, options, sequences, &jobs, &records, failed, missing)
}

fn gather(
    plan: &Plan,
    options: &Options,
    sequences: Vec<Sequence>,
    jobs: &[Job],
    records: &Records,
    failed: Vec<(String, Error)>,
    missing: Vec<(usize, Error)>,
) -> Result<Outcome> {
    let found = if options.gather {
        records.newest(jobs)
    } else {
        jobs.iter().map(|j| records.find(j).point()).collect()
    };
    let mut done: Vec<(&Job, Point)> = jobs
        .iter()
        .zip(found)
        .filter_map(|(j, p)| Some((j, p?)))
        .collect();
    done.sort_by(|(a, x), (b, y)| {
        (a.sequence, a.codec)
            .cmp(&(b.sequence, b.codec))
            .then(x.row.bpp.total_cmp(&y.row.bpp))
    });
    let mut pictures = Vec::new();
    for (s, sequence) in sequences.iter().enumerate() {
        let frame = jobs
            .iter()
            .find(|j| j.sequence == s)
            .map_or(0, |j| j.picture);
        let name = super::file_name(&format!(
            "{}_source_{}_{frame}.png",
            sequence.name,
            &sequence.digest[..8]
        ));
        let path = options.out.join("points").join(name);
        let shown = done.iter().any(|(j, _)| j.sequence == s);
        if shown && !path.exists() {
            sequence.write_picture(frame, &path, options.store)?;
        }
        pictures.push((frame, shown.then_some(path)));
    }
    let missing = missing
        .into_iter()
        .map(|(c, e)| (plan.codec[c].codec.clone(), e.to_string()))
        .collect();
    let open = jobs.len() - done.len();
    let order0 = done.iter().filter(|(j, _)| plan.codec[j.codec].order0);
    let computed: Vec<Point> = order0
        .filter_map(|(_, p)| {
            Some(Point {
                row: p.order0()?,
                ..Point::default()
            })
        })
        .collect();
    let points = done.into_iter().map(|(_, p)| p).chain(computed).collect();
    Ok(Outcome {
        pictures,
        points,
        failed,
        missing,
        open,
        sequences,
    })
}

/// The sequences of a plan, data sets taken apart into theirs.
fn sequences(plan: &Plan, options: &Options) -> Result<Vec<Sequence>> {
    let mut list = Vec::<Sequence>::new();
    for s in &plan.sequence {
        let sources = match s.source.strip_prefix("dataset:") {
            Some(name) => options
                .store
                .expand(name)?
                .into_iter()
                .map(|e| format!("dataset:{}", e.id()))
                .collect(),
            None => vec![s.source.clone()],
        };
        if sources.len() > 1 && s.name.is_some() {
            return Err(Error::Parameter(format!(
                "{} is {} sequences; one name cannot be all of theirs",
                s.source,
                sources.len()
            )));
        }
        for source in sources {
            list.push(Sequence::open(
                &super::SequencePlan {
                    source,
                    ..s.clone()
                },
                options.base,
                options.store,
            )?);
        }
    }
    for (i, s) in list.iter().enumerate() {
        if list[..i].iter().any(|t| t.file_name() == s.file_name()) {
            return Err(Error::Parameter(format!(
                "two sequences are named '{}'; give one another name = ",
                s.name
            )));
        }
    }
    for c in &plan.codec {
        if let Some(name) = c
            .sequences
            .iter()
            .find(|n| !list.iter().any(|s| s.name == **n))
        {
            return Err(Error::Parameter(format!(
                "codec '{}' names the sequence '{name}', which the plan does not have",
                c.codec
            )));
        }
    }
    for c in &plan.codec {
        list.iter()
            .filter(|s| c.runs_on(&s.name))
            .try_for_each(|s| anchor::check(c, s))?;
    }
    Ok(list)
}

/// What the workers share.
struct State<'a, 'b> {
    todo: VecDeque<&'a Job>,
    on: &'b mut (dyn FnMut(Event) + Send),
    finished: usize,
    failed: Vec<(String, Error)>,
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(|e| e.into_inner())
}

struct Worker<'a> {
    plan: &'a Plan,
    options: &'a Options<'a>,
    sequences: &'a [Sequence],
    records: &'a Records,
    files: &'a Files,
    at_once: usize,
    total: usize,
}

impl Worker<'_> {
    fn work(&self, state: &Mutex<State>) {
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
            point_name(job.at, "crf")
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
            let place = anchor::Place {
                input: &input,
                sequence,
                dir: attempt.path(),
                stop: self.options.stop,
            };
            anchor::point(self.plan, codec, job.at, &mut row, &place, keep)?;
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
                std::fs::rename(&name, &to)
                    .map_err(|e| Error::io(format!("renaming to {}", to.display()), e))?;
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
        keep: anchor::Seen,
    ) -> Result<Point> {
        let (sequence, codec) = (&self.sequences[job.sequence], &self.plan.codec[job.codec]);
        if file_digest(self.options.program)? != self.options.program_digest {
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
        row.point = point_name(job.at, "quality");
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

/// Text of a point, as in `bpp=0.1`.
pub fn point_name(at: At, scale: &str) -> String {
    match at {
        At::Bpp(v) => format!("bpp={v}"),
        At::Quality(v) => format!("{scale}={v}"),
    }
}

/// Opens a prepared sequence.
pub fn open(path: &Path) -> Result<BoxedSource> {
    let text = path
        .to_str()
        .ok_or_else(|| Error::Parameter(format!("{} is not a name in UTF-8", path.display())))?;
    open_source(text, &SourceOptions::default())
}

/// Writes one frame as a PNG in RGB.
pub fn write_picture(frame: &Frame, info: &VideoInfo, path: &Path) -> Result<()> {
    let text = path
        .to_str()
        .ok_or_else(|| Error::Parameter(format!("{} is not a name in UTF-8", path.display())))?;
    let mut sink = open_sink(text, None, info)?;
    sink.write(frame)?;
    sink.finish().map(drop)
}

impl Row {
    /// Takes the figures of a comparison.
    pub fn set_scores(&mut self, s: &Scores) {
        let all = [s.psnr_y, s.psnr_u, s.psnr_v, s.psnr_yuv611, s.psnr_rgb];
        let mean = all.map(|p| p.map(|p| p.mean));
        let pooled = all.map(|p| p.map(|p| p.pooled));
        [
            self.psnr_y,
            self.psnr_u,
            self.psnr_v,
            self.psnr_611,
            self.psnr_rgb,
        ] = mean;
        [
            self.psnr_y_pooled,
            self.psnr_u_pooled,
            self.psnr_v_pooled,
            self.psnr_611_pooled,
            self.psnr_rgb_pooled,
        ] = pooled;
        self.ms_ssim_y = s.ms_ssim_y;
    }

    /// What follows from bytes and geometry.
    pub(super) fn finish(&mut self, frames: u64) {
        self.bpp =
            8.0 * self.bytes as f64 / (self.width as f64 * self.height as f64 * frames as f64);
        let rate = self
            .fps
            .split_once('/')
            .and_then(|(n, d)| Some(n.parse::<f64>().ok()? / d.parse::<f64>().ok()?));
        self.kbps = rate.map(|fps| 8.0 * self.bytes as f64 / frames as f64 * fps / 1000.0);
    }
}

/// The files that codecs read, each written when first needed.
struct Files {
    dir: PathBuf,
    ready: Vec<Mutex<bool>>,
    used: bool,
}

impl Files {
    fn new(out: &Path, sequences: &[Sequence], used: impl Iterator<Item = usize>) -> Self {
        Files {
            dir: out.join("sequences"),
            ready: sequences.iter().map(|_| Mutex::new(false)).collect(),
            used: used.count() > 0,
        }
    }

    fn get(&self, index: usize, sequence: &Sequence, store: &Store) -> Result<PathBuf> {
        let path = self.dir.join(sequence.file_name());
        let mut ready = lock(&self.ready[index]);
        if !*ready {
            std::fs::create_dir_all(&self.dir)
                .map_err(|e| Error::io(format!("creating {}", self.dir.display()), e))?;
            sequence.write(&path, store)?;
            *ready = true;
        }
        Ok(path)
    }

    /// They can be made again at any time, and are large.
    fn remove(&self) {
        if self.used {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}
